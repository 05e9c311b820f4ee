"""Several results, as one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from celeriac.app.belonging import reduced
from celeriac.results.base import ResultBase
from celeriac.results.guard import assert_will_not_block
from celeriac.results.joining import Joining, leaves_of, value_known
from celeriac.results.revoking import revoke
from celeriac.states import FAILURE, READY_STATES, SUCCESS

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.backend import Backend


class ResultSet(ResultBase):
    """Results to be asked and waited for together; waiting costs one subscription, however many they are.

    Iterating gives its members; ``async for`` gives them as they end, `await` the list of their values.
    """

    def __init__(
        self,
        results: Iterable[Any] | None = None,
        app: Celery | None = None,
        ready_barrier: Callable[[], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._app = app
        self.results: list[Any] = list(results or ())
        self.parent: Any = kwargs.get("parent")
        if ready_barrier is not None:
            for result in self.results:
                result.then(lambda _: ready_barrier())

    @property
    def backend(self) -> Backend:
        """The result store of the first member, else the app's."""
        found: Backend = self.results[0].backend if self.results else self.app.backend
        return found

    @property
    def supports_native_join(self) -> bool:
        """Whether all can be waited for at once, which all stores can."""
        return not self.backend.disabled

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

    def _app_elsewhere(self) -> Celery:
        first: Celery | None = self.results[0].app if self.results else None
        return first or super()._app_elsewhere()

    def __reduce__(self) -> Any:
        return reduced(self, (self.results,))

    # -- the members --------------------------------------------------------------------------------------------------

    def add(self, result: Any) -> None:
        """Add one, unless it is there."""
        if result not in self.results:
            self.results.append(result)

    def remove(self, result: Any) -> None:
        """Take one out, given itself or its id.  Raises KeyError where it is not there."""
        try:
            self.results.remove(result)
        except ValueError:
            raise KeyError(result) from None

    def discard(self, result: Any) -> None:
        """Take one out, if it is there."""
        if result in self.results:
            self.results.remove(result)

    def update(self, results: Iterable[Any]) -> None:
        """Add those that are not there."""
        there = set(self.results)
        for result in results:
            if result not in there:
                there.add(result)
                self.results.append(result)

    def clear(self) -> None:
        """Take all out."""
        self.results.clear()

    def member_tuples(self) -> list[Any]:
        """The members in the form of the wire."""
        return [result.as_tuple() for result in self.results]

    # -- asking -------------------------------------------------------------------------------------------------------

    def successful(self) -> bool:
        """True when all have succeeded."""
        return self.completed_count() == len(self.results)

    def failed(self) -> bool:
        """True when one has failed."""
        self._refresh()
        return any(leaf.state == FAILURE for leaf in leaves_of(self) if not leaf.is_pending)

    def ready(self) -> bool:
        """True when all have ended."""
        self._refresh()
        return not any(leaf.is_pending for leaf in leaves_of(self))

    def waiting(self) -> bool:
        """True while one has not ended."""
        return not self.ready()

    def completed_count(self) -> int:
        """How many have succeeded."""
        self._refresh()
        return sum(
            all(not leaf.is_pending and leaf.state == SUCCESS for leaf in leaves_of(member)) for member in self.results
        )

    def _refresh(self) -> None:
        """Ask the store once for all that are not known to have ended."""
        joining = Joining(self.results, propagate=False)
        for service, task_ids in joining.services():
            for meta in service.fetch(task_ids).values():
                if meta["status"] in READY_STATES and meta["task_id"] in joining.watched:
                    joining.take(meta)

    def maybe_throw(self, callback: Callable[[str, Any], Any] | None = None, propagate: bool = True) -> None:
        """Raise the exception of the first in order that has failed; `callback` gets the ids and values before it."""
        self._refresh()
        for leaf in leaves_of(self):
            if not leaf.is_pending:
                leaf.maybe_throw(propagate, callback)

    maybe_reraise = maybe_throw

    def forget(self) -> None:
        """Remove all from the store."""
        for result in self.results:
            result.forget()

    def revoke(
        self,
        connection: Any = None,
        terminate: bool = False,
        signal: str | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """As `AsyncResult.revoke`, for all tasks in one message; none is sent where there are none."""
        task_ids = [leaf.id for leaf in leaves_of(self)]
        return revoke(self.app, task_ids, connection, terminate, signal, wait, timeout) if task_ids else None

    def then(
        self,
        callback: Callable[[Any], Any],
        on_error: Callable[[Exception], Any] | None = None,
        weak: bool = False,
    ) -> ResultSet:
        """Call ``callback(self)`` once it is known here that all have ended; see `AsyncResult.then`."""
        left = {id(result) for result in self.results}

        def ended(result: Any) -> None:
            left.discard(id(result))
            if not left:
                callback(self)

        if not left:
            callback(self)
        for result in list(self.results):
            result.then(ended, on_error)
        return self

    # -- waiting ------------------------------------------------------------------------------------------------------

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
        """Wait for all, and return what they returned, in order; nothing where a `callback` gets each id and value.

        Raises the exception of the first that fails (unless `propagate` is False), without waiting for the others;
        else as `AsyncResult.get`, whose arguments these are.
        """
        return self._join(False, timeout, propagate, interval, callback, on_message, on_interval, disable_sync_subtasks)

    def join(
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
        """As `get`, but in the order of the members: of callbacks, and of the failures the one that is raised."""
        return self._join(True, timeout, propagate, interval, callback, on_message, on_interval, disable_sync_subtasks)

    def join_native(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Callable[[str, Any], Any] | None = None,
        no_ack: bool = True,
        on_message: Callable[[dict[str, Any]], Any] | None = None,
        on_interval: Callable[[], Any] | None = None,
        disable_sync_subtasks: bool = True,
    ) -> list[Any]:
        """The same as `get`, with Celery's order of the arguments."""
        return self.get(timeout, propagate, interval, callback, no_ack, on_message, disable_sync_subtasks, on_interval)

    def _join(
        self,
        in_order: bool,
        timeout: float | None,
        propagate: bool,
        interval: float,
        callback: Callable[[str, Any], Any] | None,
        on_message: Callable[[dict[str, Any]], Any] | None,
        on_interval: Callable[[], Any] | None,
        disable_sync_subtasks: bool,
    ) -> list[Any]:
        if disable_sync_subtasks:
            assert_will_not_block()
        joining = self._joining(propagate, in_order, callback)
        left = _countdown(timeout)
        for service, task_ids in joining.services():
            if not joining.over:
                service.wait(task_ids, left(), joining.take, on_interval, on_message, interval)
        return _outcome(joining, callback)

    def _joining(self, propagate: bool, in_order: bool, callback: Callable[[str, Any], Any] | None) -> Joining:
        members = list(self.results)

        def tell(place: int) -> None:
            if callback is not None:
                callback(members[place].id, value_known(members[place]))

        return Joining(members, propagate, in_order, tell)

    def iter_native(
        self,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Callable[[dict[str, Any]], Any] | None = None,
        on_interval: Callable[[], Any] | None = None,
    ) -> Generator[tuple[str, Any], None, None]:
        """(id, meta) of each member as it ends, with the value or the exception as the meta's result.

        For a group in the group it is (id, its members).
        """
        for member in self._ending(timeout, interval, on_message, on_interval):
            members = getattr(member, "results", None)
            yield member.id, member.told() if members is None else members

    def iterate(
        self, timeout: float | None = None, propagate: bool = True, interval: float = 0.5
    ) -> Generator[Any, None, None]:
        """The values of the members, in the order in which they end.  Raises as `get`."""
        for member in self._ending(timeout, interval):
            if propagate:
                member.maybe_throw()
            yield value_known(member)

    def _ending(
        self,
        timeout: float | None,
        interval: float,
        on_message: Callable[[dict[str, Any]], Any] | None = None,
        on_interval: Callable[[], Any] | None = None,
    ) -> Generator[Any, None, None]:
        """The members, in the order in which they end."""
        assert_will_not_block()
        ended: deque[int] = deque()
        joining = Joining(list(self.results), propagate=False, on_complete=ended.append)
        yield from _drained(ended, joining)
        left = _countdown(timeout)
        for service, task_ids in joining.services():
            for meta in service.arriving(task_ids, left(), on_interval, on_message, interval):
                joining.take(meta)
                yield from _drained(ended, joining)

    # -- waiting in an event loop -------------------------------------------------------------------------------------

    async def aget(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        callback: Callable[[str, Any], Any] | None = None,
        on_message: Callable[[dict[str, Any]], Any] | None = None,
        disable_sync_subtasks: bool = True,
    ) -> list[Any]:
        """As `get`, without blocking the event loop."""
        if disable_sync_subtasks:
            assert_will_not_block()
        joining = self._joining(propagate, False, callback)
        left = _countdown(timeout)
        for service, task_ids in joining.services():
            if joining.over:
                break
            async with aclosing(service.arriving_in_loop(task_ids, left(), on_message)) as metas:
                async for meta in metas:
                    if joining.take(meta):
                        break
        return _outcome(joining, callback)

    def __await__(self) -> Generator[Any, None, list[Any]]:
        return self.aget().__await__()

    async def aiterate(self, timeout: float | None = None, propagate: bool = True) -> AsyncGenerator[Any, None]:
        """As `iterate`, without blocking the event loop."""
        async with aclosing(self._ending_in_loop(timeout)) as members:
            async for member in members:
                if propagate:
                    member.maybe_throw()
                yield value_known(member)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._ending_in_loop(None)

    async def _ending_in_loop(self, timeout: float | None) -> AsyncGenerator[Any, None]:
        assert_will_not_block()
        ended: deque[int] = deque()
        joining = Joining(list(self.results), propagate=False, on_complete=ended.append)
        for member in _drained(ended, joining):
            yield member
        left = _countdown(timeout)
        for service, task_ids in joining.services():
            async with aclosing(service.arriving_in_loop(task_ids, left())) as metas:
                async for meta in metas:
                    joining.take(meta)
                    for member in _drained(ended, joining):
                        yield member


def _drained(places: deque[int], joining: Joining) -> Iterator[Any]:
    while places:
        yield joining.members[places.popleft()]


def _outcome(joining: Joining, callback: Callable[[str, Any], Any] | None) -> list[Any]:
    if callback is None:
        return joining.outcome()
    joining.check()
    return []


def _countdown(timeout: float | None) -> Callable[[], float | None]:
    """What is left of `timeout` seconds, at any later moment; None of None."""
    deadline = None if timeout is None else time.monotonic() + timeout
    return lambda: None if deadline is None else max(0.0, deadline - time.monotonic())
