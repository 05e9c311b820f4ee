"""Which queues are quorum queues (``celery.utils.quorum_queues``)."""

from __future__ import annotations

from typing import Any


def detect_quorum_queues(app: Any, driver_type: str) -> tuple[bool, str]:
    """Whether one of the queues to consume from is a quorum queue of AMQP, and its name."""
    if driver_type == "amqp":
        for name, queue in app.amqp.queues.items():
            if (queue.queue_arguments or {}).get("x-queue-type") == "quorum":
                return True, name
    return False, ""


__all__ = ["detect_quorum_queues"]
