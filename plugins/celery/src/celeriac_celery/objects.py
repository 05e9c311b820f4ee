"""Objects and how they look (``celery.utils.objects``, ``celery.utils.saferepr``)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from celeriac.protocol.reprs import safe_repr


class Bunch:
    """An object with these attributes."""

    def __init__(self, **kwargs: Any) -> None:
        self.__dict__.update(kwargs)


class FallbackContext:
    """A context manager that gives what is there, or what `fallback` makes, which is closed again."""

    def __init__(self, provided: Any, fallback: Callable[..., Any], *fb_args: Any, **fb_kwargs: Any) -> None:
        self.provided = provided
        self._make: Callable[[], Any] = lambda: fallback(*fb_args, **fb_kwargs)
        self._made: Any = None

    def __enter__(self) -> Any:
        if self.provided is not None:
            return self.provided
        self._made = self._make()
        return self._made.__enter__()

    def __exit__(self, *exc_info: Any) -> Any:
        return None if self._made is None else self._made.__exit__(*exc_info)


class getitem_property:  # noqa: N801  # Celery's name
    """An attribute that is an item of a map, or of a map in it: ``getitem_property("options.queue")``."""

    def __init__(self, keypath: str, doc: str | None = None) -> None:
        path, _, self.key = keypath.rpartition(".")
        self.path = path.split(".") if path else []
        self.__doc__ = doc

    def _holder(self, obj: Any) -> Any:
        for part in self.path:
            obj = obj[part]
        return obj

    def __get__(self, obj: Any, type: Any = None) -> Any:
        return type if obj is None else self._holder(obj).get(self.key)

    def __set__(self, obj: Any, value: Any) -> None:
        self._holder(obj)[self.key] = value


def mro_lookup(
    cls: type, attr: str, stop: Collection[type] | None = None, monkey_patched: Collection[str] | None = None
) -> type | None:
    """The class that defines `attr`; None where that is beyond one of `stop`."""
    stop, trusted = stop or (), monkey_patched or ()
    for each in cls.mro():
        if each in stop:
            found = each.__dict__.get(attr)
            module = getattr(getattr(found, "__func__", found), "__module__", None)
            return each if trusted and found is not None and module not in trusted else None
        if attr in each.__dict__:
            return each
    return None


def saferepr(o: Any, maxlen: int | None = None, maxlevels: int = 3, seen: Any = None) -> str:
    """How a value looks, at most `maxlen` characters of it, whatever its ``__repr__`` does."""
    shown: str = safe_repr(o, maxlevels=maxlevels)
    return shown if maxlen is None or len(shown) <= maxlen else f"{shown[:maxlen]}..."


__all__ = ["Bunch", "FallbackContext", "getitem_property", "mro_lookup", "saferepr"]
