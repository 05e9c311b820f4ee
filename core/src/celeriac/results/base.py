"""What results of tasks and of groups have in common: a place in a chain, and a form on the wire."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any


class ResultBase:
    """A result of anything."""

    __slots__ = ()

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

    @abstractmethod
    def member_tuples(self) -> list[Any] | None:
        """The forms of the members of a group; None for what is no group."""
