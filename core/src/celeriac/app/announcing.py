"""The signals of an app's life, which a subclass may also answer by a method of the same name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from celeriac.signals import Signal


def signal_of(app: Any, name: str, *arguments: str) -> Signal:
    """The signal ``app.<name>``; the method of that name, where the class of the app has one, is its first receiver."""
    signal = Signal(f"app.{name}", frozenset(arguments))
    method = getattr(type(app), name, None)
    if callable(method):
        signal.connect(_receiver(getattr(app, name)), weak=False)
    return signal


def _receiver(method: Callable[..., Any]) -> Callable[..., Any]:
    """Hands `method` those of a signal's arguments that it takes: often it takes none."""
    parameters = inspect.signature(method).parameters
    everything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())

    def receive(**named: Any) -> Any:
        return method(**(named if everything else {key: named[key] for key in parameters if key in named}))

    return receive
