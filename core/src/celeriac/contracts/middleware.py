"""The record by which a hook wraps the way of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Middleware:
    """One layer around a step of a message's way.

    ``call(message, call_next)`` does its work and returns ``call_next(message)``'s value or its own; not calling
    `call_next` stops the message there.  Lower `priority` is further out: it sees the message first and the result
    last; equal priorities keep the order of the plugins.
    """

    priority: int
    call: Callable[[Any, Callable[[Any], Any]], Any]
    name: str = ""


def bind(layers: Iterable[Middleware], core: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`core` wrapped in `layers`, as one callable; `core` itself where there are none."""
    wrapped = core
    ordered = sorted(layers, key=lambda layer: layer.priority)
    for layer in reversed(ordered):
        wrapped = _wrap(layer.call, wrapped)
    return wrapped


def _wrap(call: Callable[[Any, Callable[[Any], Any]], Any], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def layer(message: Any) -> Any:
        return call(message, inner)

    return layer
