"""Commands about the queues that a worker listens to."""

from __future__ import annotations

import logging
from typing import Any

from celeriac.worker.panel.registry import PanelState, control_command, inspect_command

logger = logging.getLogger("celeriac.worker.control")

_ARGUMENTS = [("queue", str), ("exchange", str), ("exchange_type", str), ("routing_key", str)]


@control_command(args=_ARGUMENTS, signature="<queue> [exchange [type [routing_key]]]")
def add_consumer(
    state: PanelState,
    queue: str,
    exchange: str | None = None,
    exchange_type: str | None = None,
    routing_key: str | None = None,
    **options: Any,
) -> dict[str, str]:
    """Listen to one more queue."""
    state.consumer.listening.add(queue, exchange, exchange_type or "direct", routing_key, options)
    logger.info("Listening to the queue %s", queue)
    return {"ok": f"add consumer {queue}"}


@control_command(args=[("queue", str)], signature="<queue>")
def cancel_consumer(state: PanelState, queue: str, **_: Any) -> dict[str, str]:
    """Stop listening to a queue; what was taken from it is run."""
    state.consumer.listening.remove(queue)
    logger.info("No longer listening to the queue %s", queue)
    return {"ok": f"no longer consuming from {queue}"}


@control_command(args=[("queue", str)], signature="<queue>")
def pause_queue(state: PanelState, queue: str, **_: Any) -> dict[str, str]:
    """Take nothing from a queue until resume_queue; what was taken from it is run."""
    if not state.consumer.listening.pause(queue):
        return {"error": f"this worker does not listen to {queue}"}
    logger.info("Paused the queue %s", queue)
    return {"ok": f"queue {queue} paused"}


@control_command(args=[("queue", str)], signature="<queue>")
def resume_queue(state: PanelState, queue: str, **_: Any) -> dict[str, str]:
    """Take messages from a paused queue again."""
    if not state.consumer.listening.resume(queue):
        return {"error": f"the queue {queue} is not paused on this worker"}
    logger.info("Resumed the queue %s", queue)
    return {"ok": f"queue {queue} resumed"}


@inspect_command()
def active_queues(state: PanelState) -> list[dict[str, Any]]:
    """List of the queues that the worker listens to."""
    listening = state.consumer.listening
    return [{**queue.as_dict(recurse=True), "paused": queue.name in listening.paused} for queue in listening.queues]
