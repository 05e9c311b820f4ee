"""The results of several tasks, as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from celeriac.app.current import get_current_app
from celeriac.app.identifiers import uuid
from celeriac.results.async_result import AsyncResult, assert_not_in_task
from celeriac.states import READY_STATES

if TYPE_CHECKING:
    from celeriac.app.base import Celery


class ResultSet:
    """Results to be asked and waited for together; waiting costs one subscription, however many they are."""

    def __init__(self, results: Sequence[Any] | None = None, app: Celery | None = None, **_: Any) -> None:
        self._app = app
        self.results: list[Any] = list(results or ())
        self.parent: Any = None

    @property
    def app(self) -> Celery:
        """The app whose store is asked."""
        if self._app is None and self.results:
            first: Celery = self.results[0].app
            return first
        return self._app or get_current_app()

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.results)

    def __getitem__(self, index: int) -> Any:
        return self.results[index]

    def __eq__(self, other: object) -> bool:
        return other.results == self.results if isinstance(other, ResultSet) else NotImplemented

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: [{', '.join(result.id for result in self.results)}]>"

    def add(self, result: Any) -> None:
        """Add one, unless it is there."""
        if result not in self.results:
            self.results.append(result)

    def successful(self) -> bool:
        """True when all have succeeded."""
        return all(result.successful() for result in self.results)

    def failed(self) -> bool:
        """True when one has failed."""
        return any(result.failed() for result in self.results)

    def ready(self) -> bool:
        """True when all have ended."""
        self._refresh()
        return all(result.ready() for result in self.results)

    def waiting(self) -> bool:
        """True while one has not ended."""
        return not self.ready()

    def completed_count(self) -> int:
        """How many have succeeded."""
        self._refresh()
        return sum(result.successful() for result in self.results)

    def _refresh(self) -> None:
        """Ask the store once for all that are not known to have ended."""
        pending = {leaf.id: leaf for leaf in _leaves(self) if leaf.is_pending}
        for meta in self.app.results.fetch(list(pending)).values():
            if meta["status"] in READY_STATES:
                pending[meta["task_id"]].keep(meta)

    def get(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Callable[[str, Any], Any] | None = None,
        no_ack: bool = True,
        on_message: Callable[[dict[str, Any]], Any] | None = None,
        disable_sync_subtasks: bool = True,
        on_interval: Callable[[], Any] | None = None,
    ) -> list[Any]:
        """Wait for all, and return what they returned, in order.

        Raises the first exception in that order (unless `propagate` is False) as soon as all before it have ended,
        and `TimeoutError` after `timeout` seconds.
        """
        if disable_sync_subtasks:
            assert_not_in_task()
        ordered = list(_leaves(self))
        watched: dict[str, list[AsyncResult[Any]]] = {}
        for leaf in ordered:
            for result in (leaf, *(leaf.ancestors() if propagate else ())):
                if result.is_pending and not result.ignored:
                    watched.setdefault(result.id, []).append(result)
        place = 0

        def keep(meta: dict[str, Any]) -> bool:
            """Whether nothing that is still to come can change the answer."""
            nonlocal place
            for result in watched[meta["task_id"]]:
                result.keep(meta)
            while place < len(ordered):
                fails = ordered[place].verdict()
                if fails is None:
                    return False
                if fails and propagate:
                    return True
                place += 1
            return True

        self.app.results.wait(watched, timeout, keep, on_interval, on_message, interval)
        return [
            result.get(timeout=timeout, propagate=propagate, callback=callback, disable_sync_subtasks=False)
            for result in self.results
        ]

    join = join_native = get

    def forget(self) -> None:
        """Remove all from the store."""
        for result in self.results:
            result.forget()


class GroupResult(ResultSet):
    """The results of a group."""

    def __init__(
        self, id: str | None = None, results: Sequence[Any] | None = None, parent: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(results, **kwargs)
        self.id = id or uuid()
        self.parent = parent

    def __repr__(self) -> str:
        return f"<GroupResult: {self.id} [{', '.join(result.id for result in self.results)}]>"

    def __str__(self) -> str:
        return self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, GroupResult):
            return (other.id, other.results, other.parent) == (self.id, self.results, self.parent)
        return other == self.id if isinstance(other, str) else NotImplemented

    @property
    def children(self) -> list[Any]:
        """The members."""
        return self.results

    def as_tuple(self) -> tuple[Any, Any]:
        """The form of the wire."""
        parent = self.parent.as_tuple() if self.parent is not None else None
        return (self.id, parent), [result.as_tuple() for result in self.results]


def _leaves(results: ResultSet) -> Iterator[AsyncResult[Any]]:
    """The results of tasks, those of nested groups included."""
    for result in results.results:
        if isinstance(result, ResultSet):
            yield from _leaves(result)
        else:
            yield result
