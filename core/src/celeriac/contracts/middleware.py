"""The record by which a hook wraps the way of messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

Awaiting = Callable[[Any], Awaitable[Any]]
AsyncCall = Callable[[Any, Awaiting], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Middleware:
    """One layer around a step of a message's way.

    ``call(message, call_next)`` does its work and returns ``call_next(message)``'s value or its own; not calling
    `call_next` stops the message there.  Lower `priority` is further out: it sees the message first and the result
    last; equal priorities keep the order of the plugins.

    `call_async` is the same for coroutine tasks in a pool with an event loop, where `call_next` is to be awaited; of
    use to execute middleware only.  Where a layer has none, such tasks run in threads.
    """

    priority: int
    call: Callable[[Any, Callable[[Any], Any]], Any]
    name: str = ""
    call_async: AsyncCall | None = None


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


def bind_async(layers: Iterable[Middleware], core: Awaiting) -> Awaiting | None:
    """The same for a `core` that is awaited; None where one of the layers cannot be."""
    wrapped = core
    ordered = sorted(layers, key=lambda layer: layer.priority)
    for layer in reversed(ordered):
        if layer.call_async is None:
            return None
        wrapped = _wrap(layer.call_async, wrapped)
    return wrapped
