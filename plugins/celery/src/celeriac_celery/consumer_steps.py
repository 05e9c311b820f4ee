"""Steps of Celery's consumer that are none here: only names, so that steps may require them."""

from __future__ import annotations

from typing import Any

from celeriac.bootsteps import StartStopStep


class _Name(StartStopStep):
    def include_if(self, parent: Any) -> bool:
        return False


class DelayedDelivery(_Name):
    """Messages with an ETA wait in the broker: what the lane of the broker does, and no step."""


class Evloop(_Name):
    """The loop, which the worker turns."""

    last = True


def dump_body(m: Any, body: Any) -> str:
    """The body of a message, for a log: its repr, shortened, and its size in bytes."""
    found = m.body if body is None else body
    text = repr(found)
    return f"{text if len(text) <= 1024 else text[:1021] + '...'} ({len(m.body)}b)"


__all__ = ["DelayedDelivery", "Evloop", "dump_body"]
