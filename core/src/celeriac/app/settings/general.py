"""What every part of an app reads."""

from __future__ import annotations

from typing import Final

from celeriac.plugin.settings import Setting
from celeriac.protocol.compression import MAX_EXPANDED

SETTINGS: Final = (
    Setting(
        "accept_content",
        "strings",
        ("json",),
        "Content types that are decoded in messages; everything else is refused.",
    ),
    Setting(
        "accept_expanded_bytes",
        int,
        MAX_EXPANDED,
        "The most bytes that a compressed message or result may expand to; one that is larger is refused.",
    ),
    Setting("enable_utc", bool, True, "Dates in messages are in UTC."),
    Setting("timezone", str, None, "The name of the time zone of naive dates; UTC where unset."),
    Setting("imports", "strings", (), "Modules that a worker imports at its start."),
    Setting("include", "strings", (), "More modules that a worker imports at its start."),
    Setting(
        "plugins",
        list,
        (),
        'Plugins to load besides those that are found: objects, "module:object" or entry point names.',
    ),
    Setting("control_exchange", str, "celery", "Prefix of the exchange of remote control."),
    Setting("control_queue_durable", bool, False, "The queues of remote control survive a restart of the broker."),
    Setting("control_queue_exclusive", bool, True, "The queues of remote control belong to one connection."),
    Setting(
        "control_queue_expires", "seconds", 10.0, "After how many seconds an unused queue of remote control goes away."
    ),
    Setting("control_queue_ttl", "seconds", 300.0, "How many seconds a control command stays in a queue."),
    Setting("event_exchange", str, "celeryev", "The exchange of events."),
    Setting("event_queue_durable", bool, False, "The queues of event receivers survive a restart of the broker."),
    Setting("event_queue_exclusive", bool, True, "The queues of event receivers belong to one connection."),
    Setting(
        "event_queue_expires", "seconds", 60.0, "After how many seconds an unused queue of an event receiver goes away."
    ),
    Setting("event_queue_prefix", str, "celeryev", "How the queues of event receivers begin."),
    Setting("event_queue_ttl", "seconds", 5.0, "How many seconds an event stays in a queue."),
    Setting("event_serializer", str, "json", "The serializer of events."),
)
