"""What becomes of results."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from celeriac.plugin.settings import Setting

SETTINGS: Final = (
    Setting("result_backend", "any", None, "The URL of the result store; its scheme names the plugin."),
    Setting(
        "result_accept_content",
        "strings",
        None,
        "Content types that are decoded in results; None: those of accept_content.",
    ),
    Setting(
        "result_backend_always_retry",
        bool,
        False,
        "A store that is out of reach is tried result_backend_max_retries times, also by workers, which otherwise wait"
        " until it is back.",
    ),
    Setting("result_backend_base_sleep_between_retries_ms", int, 10, "Milliseconds before the first retry."),
    Setting("result_backend_max_retries", float, float("inf"), "How often to try again."),
    Setting(
        "result_backend_max_sleep_between_retries_ms",
        int,
        10000,
        "The longest wait between two retries, in milliseconds.",
    ),
    Setting("result_backend_transport_options", dict, {}, "Options that the result store knows."),
    Setting("result_cache_max", int, -1, "How many results a client keeps in memory; -1: none."),
    Setting(
        "result_chord_expires", "seconds", None, "Seconds that the parts of a chord are kept; None: result_expires."
    ),
    Setting("result_chord_join_timeout", "seconds", 3.0, "Seconds to wait for the results of a chord's header."),
    Setting(
        "result_chord_retry_interval",
        "seconds",
        1.0,
        "Seconds between two looks at a chord, on stores that cannot count.",
    ),
    Setting("result_compression", str, None, "Compress stored results."),
    Setting(
        "result_expires", "seconds", timedelta(days=1), "Seconds that a result is kept; None: for ever.", optional=True
    ),
    Setting("result_extended", bool, False, "Store name, arguments, worker, retries and queue with the result."),
    Setting("result_failure_expires", "seconds", None, "Seconds that a failure is kept; None: result_expires."),
    Setting("result_persistent", bool, None, "Result messages survive a restart of the broker."),
    Setting("result_serializer", str, "json", "The serializer of results."),
)
