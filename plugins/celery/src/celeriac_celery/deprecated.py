"""Warnings of what is to go (``celery.utils.deprecated``)."""

from __future__ import annotations

import warnings
from collections.abc import Callable as AnyCallable
from functools import wraps
from typing import Any

from celeriac.exceptions import CDeprecationWarning, CPendingDeprecationWarning


def warn(
    description: str | None = None,
    deprecation: Any = None,
    removal: Any = None,
    alternative: str | None = None,
    stacklevel: int = 2,
) -> None:
    """Warn of something that will be gone in release `removal`."""
    text = f"{description} is scheduled for deprecation in {deprecation} and removal in version {removal}"
    if removal is not None:
        text = f"{description} is deprecated and will be removed in version {removal}"
    kind = CPendingDeprecationWarning if removal is None else CDeprecationWarning
    warnings.warn(f"{text}. {alternative or ''}".rstrip(), kind, stacklevel=stacklevel)


def Callable(
    deprecation: Any = None,
    removal: Any = None,
    alternative: str | None = None,
    description: str | None = None,
) -> AnyCallable[[AnyCallable[..., Any]], AnyCallable[..., Any]]:
    """Warn whenever the function is called."""

    def decorate(function: AnyCallable[..., Any]) -> AnyCallable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            name = description or f"{function.__module__}.{function.__qualname__}"
            warn(name, deprecation, removal, alternative, stacklevel=3)
            return function(*args, **kwargs)

        return call

    return decorate


def Property(
    deprecation: Any = None,
    removal: Any = None,
    alternative: str | None = None,
    description: str | None = None,
) -> AnyCallable[[AnyCallable[..., Any]], property]:
    """Warn whenever the property is read."""
    decorate = Callable(deprecation, removal, alternative, description)
    return lambda function: property(decorate(function))


__all__ = ["Callable", "Property", "warn"]
