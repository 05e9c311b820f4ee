"""Events: what workers and clients tell of tasks and of themselves, for whoever watches."""

from __future__ import annotations

from celeriac.events.dispatcher import EventDispatcher
from celeriac.events.event import Event, event_exchange, get_exchange, group_from
from celeriac.events.receiver import EventReceiver

__all__ = ["Event", "EventDispatcher", "EventReceiver", "event_exchange", "get_exchange", "group_from"]
