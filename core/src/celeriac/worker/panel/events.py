"""Commands about events and about what the workers of a fleet tell each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from celeriac.worker.panel.registry import PanelState, control_command, inspect_command

if TYPE_CHECKING:
    from celeriac.events.dispatcher import EventDispatcher

#: The events of tasks, as opposed to those of workers.
_TASK = "task"


@control_command()
def enable_events(state: PanelState) -> dict[str, str]:
    """Send the events of tasks."""
    dispatcher = _dispatcher(state)
    changed = dispatcher.enable(_TASK)
    dispatcher.enable()
    return {"ok": "task events enabled" if changed else "task events already enabled"}


@control_command()
def disable_events(state: PanelState) -> dict[str, str]:
    """Send the events of tasks no more."""
    changed = _dispatcher(state).disable(_TASK)
    return {"ok": "task events disabled" if changed else "task events already disabled"}


def _dispatcher(state: PanelState) -> EventDispatcher:
    dispatcher = state.consumer.event_dispatcher
    if dispatcher is None:
        raise ValueError("this worker sends no events: its transport reaches one receiver only")
    return dispatcher


@control_command()
def heartbeat(state: PanelState) -> None:
    """Send a heartbeat now."""
    heart = state.consumer.heart
    if heart is not None:
        heart.beat()


@control_command(visible=False)
def election(state: PanelState, id: str, topic: str, action: Any = None, **_: Any) -> None:
    """Hold an election."""
    gossip = getattr(state.consumer, "gossip", None)
    if gossip is not None:
        gossip.election(id, topic, action)


@inspect_command()
def clock(state: PanelState, **_: Any) -> dict[str, int]:
    """The logical clock."""
    return {"clock": state.app.clock.value}


@inspect_command(visible=False)
def hello(state: PanelState, from_node: str, revoked: Any = None, **_: Any) -> dict[str, Any] | None:
    """Learn what a new worker knows, and tell it what this one does."""
    if from_node == state.hostname:
        return None
    # A list of ids, or a map of which they are the keys.
    ids = [one for one in revoked if isinstance(one, str)] if isinstance(revoked, Iterable) else []
    if ids:
        state.consumer.revoking.learn(ids)
    return {"revoked": list(state.consumer.state.revocations.ids), "clock": state.app.clock.forward()}
