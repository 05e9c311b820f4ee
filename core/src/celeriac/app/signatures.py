"""Whether a task takes these arguments, told before anything is sent."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any


def check_shape(name: str | None, args: Any, kwargs: Any) -> None:
    """Raises TypeError for arguments that are not a list and a map: a text, say, is a list of letters by accident."""
    if not isinstance(args, (list, tuple)):
        raise TypeError(f"the args of task {name!r} must be a list or a tuple, not {args!r:.100}")
    if type(kwargs) is not dict and not isinstance(kwargs, Mapping):  # asking an abstract class takes its time
        raise TypeError(f"the kwargs of task {name!r} must be a mapping, not {kwargs!r:.100}")


class ArgumentCheck:
    """What a function takes; a call counts positional arguments first, and binds only what that cannot decide.

    `bound`: the first parameter is not the caller's.
    """

    def __init__(self, function: Callable[..., Any], bound: bool = False) -> None:
        #: What errors call the function.
        self.name: str | None = getattr(function, "__qualname__", repr(function))
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):  # a builtin that does not say what it takes
            self.signature = None
            return
        if bound:
            signature = signature.replace(parameters=list(signature.parameters.values())[1:])
        self.signature = signature
        kinds = inspect.Parameter
        parameters = signature.parameters.values()
        positional = [p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
        self.least = sum(p.default is kinds.empty for p in positional)
        self.most = len(positional) if not any(p.kind is kinds.VAR_POSITIONAL for p in parameters) else 1 << 30
        if any(p.kind is kinds.KEYWORD_ONLY and p.default is kinds.empty for p in parameters):
            self.most = -1

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Raises TypeError naming the function and what is wrong."""
        if self.signature is None or (not kwargs and self.least <= len(args) <= self.most):
            return
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}{self.signature}: {error}") from None
