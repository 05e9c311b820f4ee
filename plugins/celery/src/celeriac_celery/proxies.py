"""What stands for something else (``celery.local``)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from kombu.utils.imports import symbol_by_name

_Proxy: Any = symbol_by_name("celeriac.app.proxies:Proxy")


class Proxy(_Proxy):  # type: ignore[misc]  # found by name
    """Behaves as whatever ``local(*args, **kwargs)`` gives at that moment."""

    __slots__ = ()

    def __init__(
        self,
        local: Callable[..., Any],
        args: Any = None,
        kwargs: Any = None,
        name: str | None = None,
        __doc__: Any = None,
    ) -> None:
        super().__init__(lambda: local(*(args or ()), **(kwargs or {})))


class PromiseProxy(Proxy):
    """The same; asked once."""

    __slots__ = ()

    def __init__(self, local: Callable[..., Any], args: Any = None, kwargs: Any = None, **_: Any) -> None:
        found: list[Any] = []

        def once() -> Any:
            if not found:
                found.append(local(*(args or ()), **(kwargs or {})))
            return found[0]

        super().__init__(once)


def maybe_evaluate(obj: Any) -> Any:
    """What a proxy stands for; anything else is itself."""
    return obj._get_current_object() if issubclass(type(obj), _Proxy) else obj


def try_import(module: str, default: Any = None) -> Any:
    """The module, or `default` where it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return default


class class_property:  # noqa: N801  # Celery's name
    """A property of a class."""

    def __init__(self, getter: Callable[[Any], Any] | None = None) -> None:
        self._get = getter

    def __get__(self, obj: Any, type: Any = None) -> Any:
        return None if self._get is None else self._get(obj.__class__ if type is None else type)


__all__ = ["PromiseProxy", "Proxy", "class_property", "maybe_evaluate", "try_import"]
