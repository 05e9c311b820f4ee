"""The mailbox of remote control: how its queues and exchanges are declared, and in what its messages are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.pidbox import Mailbox
from kombu.serialization import registry

if TYPE_CHECKING:
    from celeriac.app.base import Celery


def mailbox_of(app: Celery, kind: type[Mailbox] = Mailbox) -> Mailbox:
    """The mailbox that all workers of the app's broker share.

    Commands go to every worker through a fanout exchange; replies come to a queue of whoever asks.  The queues clean
    themselves up: what has no consumer is gone after ``control_queue_expires`` seconds.
    """
    conf = app.conf
    mailbox: Mailbox = kind(
        conf.control_exchange,
        type="fanout",
        clock=app.clock,
        accept=_known(conf.accept_content) or ["json"],
        serializer=(_known([conf.task_serializer]) or ["json"])[0],
        queue_ttl=conf.control_queue_ttl,
        queue_expires=conf.control_queue_expires,
        queue_durable=conf.control_queue_durable,
        queue_exclusive=conf.control_queue_exclusive,
        reply_queue_ttl=conf.control_queue_ttl,
        reply_queue_expires=conf.control_queue_expires,
    )
    return mailbox


def _known(names: Any) -> list[str]:
    """Those serializers that Kombu, which carries these messages, has too: a plugin's own may be none of them."""
    # Kombu's registry has the names of those that are installed.
    known = registry.name_to_type
    return [name for name in names or () if name in known or name in known.values()]
