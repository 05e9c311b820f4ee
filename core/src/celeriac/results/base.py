"""What results of tasks and of groups have in common: a place in a chain, and a form on the wire."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from celeriac.app.belonging import AppOfResult
from celeriac.app.current import get_current_app

if TYPE_CHECKING:
    from celeriac.app.base import Celery


class ResultBase:
    """A result of anything."""

    __slots__ = ()

    #: The app that the class belongs to, as ``app.AsyncResult`` does to its app.
    _owner: ClassVar[Celery | None] = None
    app = AppOfResult()
    id: str
    #: The result of what came before this in a chain.
    parent: Any

    def parents(self) -> Iterator[Any]:
        """The results before this one in its chain, nearest first."""
        parent = self.parent
        while parent is not None:
            yield parent
            parent = parent.parent

    def as_tuple(self) -> tuple[Any, Any]:
        """The form of the wire: ``((id, parent), members)``."""
        made: Any = None
        for result in reversed([self, *self.parents()]):  # a loop: chains may be longer than calls may be nested
            made = (result.id, made), result.member_tuples()
        found: tuple[Any, Any] = made
        return found

    def _app_elsewhere(self) -> Celery:
        """The app of a result that was given none, and whose class has none."""
        return get_current_app()

    @abstractmethod
    def member_tuples(self) -> list[Any] | None:
        """The forms of the members of a group; None for what is no group."""
