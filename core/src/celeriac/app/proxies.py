"""Names that always mean the current app and the current task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celeriac.app.current import get_current_app, get_current_task


class Proxy:
    """Behaves as whatever `find` gives at that moment."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[], Any]) -> None:
        object.__setattr__(self, "_find", find)

    def _get_current_object(self) -> Any:
        """The object itself."""
        return object.__getattribute__(self, "_find")()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get_current_object(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._get_current_object(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._get_current_object(), name)

    def __dir__(self) -> list[str]:
        return dir(self._get_current_object())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._get_current_object()(*args, **kwargs)

    def __bool__(self) -> bool:
        return bool(self._get_current_object())

    def __eq__(self, other: object) -> bool:
        return bool(self._get_current_object() == other)

    def __hash__(self) -> int:
        return hash(self._get_current_object())

    def __repr__(self) -> str:
        return repr(self._get_current_object())

    @property  # type: ignore[misc]  # so that isinstance() sees what is stood for
    def __class__(self) -> Any:
        return type(self._get_current_object())


current_app: Any = Proxy(get_current_app)
current_task: Any = Proxy(get_current_task)
