"""The app of a result: one it was given, else that of its class, else the current one."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, overload

from celeriac.app.current import get_current_app

if TYPE_CHECKING:
    from celeriac.app.base import Celery

#: Where a class that is bound to an app says its app, and by what name the app has it.
OWNER = "_owner"
PLACE = "_place"


class AppOfResult:
    """The app whose store is asked; of a class the one that it is bound to, None where it is bound to none."""

    @overload
    def __get__(self, result: None, kind: type[Any]) -> Celery | None: ...

    @overload
    def __get__(self, result: object, kind: type[Any]) -> Celery: ...

    def __get__(self, result: Any, kind: type[Any]) -> Celery | None:
        if result is None:
            owner: Celery | None = kind._owner
            return owner
        found: Celery = result._app or result._owner or result._app_elsewhere()
        return found

    def __set__(self, result: Any, app: Celery | None) -> None:
        result._app = app


def reduced(result: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """How `result` is pickled: made by its class, or by the class of that name of the app that is current there.

    The app itself does not go along: its settings have passwords.
    """
    kind = type(result)
    place = vars(kind).get(PLACE)
    return (kind, args) if place is None else (_of_current_app, (place, *args))


def _of_current_app(place: str, *args: Any) -> Any:
    return attrgetter(place)(get_current_app())(*args)


__all__ = ["OWNER", "PLACE", "AppOfResult", "reduced"]
