"""The result of a task that runs elsewhere: waiting for it, and for what it has called."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from celeriac import states
from celeriac.results.family import build_graph, iterdeps
from celeriac.results.guard import assert_will_not_block
from celeriac.results.revoking import revoke, revoke_by_stamped_headers
from celeriac.results.task_result import TaskResult

if TYPE_CHECKING:
    from celeriac.graph import DependencyGraph

R = TypeVar("R")


class AsyncResult(TaskResult[R]):
    """The promise of a task's result; cheap to make, asks the store when it is asked.

    `await result` gives what the task returned, without blocking the event loop.
    """

    __slots__ = ()

    # -- waiting ------------------------------------------------------------------------------------------------------

    def get(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        no_ack: bool = True,
        follow_parents: bool = True,
        callback: Callable[[str, Any], Any] | None = None,
        on_message: Callable[[dict[str, Any]], Any] | None = None,
        on_interval: Callable[[], Any] | None = None,
        disable_sync_subtasks: bool = True,
        EXCEPTION_STATES: frozenset[str] = states.EXCEPTION_STATES,  # the names that callers give
        PROPAGATE_STATES: frozenset[str] = states.PROPAGATE_STATES,  # as above
    ) -> R:
        """Wait for the task to end and return what it returned.

        `timeout` and `interval` are in seconds; `on_interval()` is called every `interval`, `on_message(meta)` at each
        change of state, ``callback(id, value)`` at the end.  With `follow_parents` the failure of a task before it in
        its chain counts as its own, since it will never run.  `no_ack` is for stores that are queues.

        Raises the task's exception (unless `propagate` is False: then it is returned), `TimeoutError` after `timeout`,
        RuntimeError inside a task (unless `disable_sync_subtasks` is False).
        """
        if self.ignored:
            return None  # type: ignore[return-value]  # there is no result to have
        if disable_sync_subtasks:
            assert_will_not_block()
        if self.is_pending:
            watched = self._watched(propagate and follow_parents, PROPAGATE_STATES)
            keep = self._keeper(watched, PROPAGATE_STATES)
            self.service.wait(watched, timeout, keep, on_interval, on_message, interval)
            if self.is_pending:
                self._raise_for_ancestors(PROPAGATE_STATES)
        value: R = self._outcome(propagate, callback, PROPAGATE_STATES)
        return value

    wait = get

    async def aget(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        follow_parents: bool = True,
        callback: Callable[[str, Any], Any] | None = None,
        on_message: Callable[[dict[str, Any]], Any] | None = None,
        disable_sync_subtasks: bool = True,
    ) -> R:
        """As `get`, without blocking the event loop; any number may wait at once."""
        if self.ignored:
            return None  # type: ignore[return-value]  # as in get
        if disable_sync_subtasks:
            assert_will_not_block()
        if self.is_pending:
            watched = self._watched(propagate and follow_parents, states.PROPAGATE_STATES)
            keep = self._keeper(watched, states.PROPAGATE_STATES)
            async with aclosing(self.service.arriving_in_loop(watched, timeout, on_message)) as metas:
                async for meta in metas:
                    if keep(meta):
                        break
            if self.is_pending:
                self._raise_for_ancestors(states.PROPAGATE_STATES)
        value: R = self._outcome(propagate, callback)
        return value

    def __await__(self) -> Generator[Any, None, R]:
        return self.aget().__await__()

    def _watched(self, with_ancestors: bool, failing: frozenset[str]) -> dict[str, TaskResult[Any]]:
        """Whom to wait for; raises what one of the tasks before it is known to have raised."""
        watched: dict[str, TaskResult[Any]] = {self.id: self}
        if with_ancestors:
            self._raise_for_ancestors(failing)
            watched.update((parent.id, parent) for parent in self.ancestors() if parent.is_pending)
        return watched

    def _keeper(self, watched: dict[str, TaskResult[Any]], failing: frozenset[str]) -> Callable[[dict[str, Any]], bool]:
        def keep(meta: dict[str, Any]) -> bool:
            """Whether that was enough."""
            found = watched[meta["task_id"]]
            found.keep(meta)
            return found is self or meta["status"] in failing

        return keep

    def _raise_for_ancestors(self, failing: frozenset[str]) -> None:
        for parent in reversed(list(self.ancestors())):
            if parent.is_known_to_fail:
                parent._outcome(True, None, failing)

    # -- ending it ----------------------------------------------------------------------------------------------------

    def revoke(
        self,
        connection: Any = None,
        terminate: bool = False,
        signal: str | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Tell all workers not to begin the task; with `terminate` also to end it where it runs, with that signal.

        With `wait` the replies of the workers that answer within `timeout` seconds, which is 1 unless said; else None,
        without waiting.
        """
        return revoke(self.app, self.id, connection, terminate, signal, wait, timeout)

    def revoke_by_stamped_headers(
        self,
        headers: Mapping[str, Any],
        connection: Any = None,
        terminate: bool = False,
        signal: str | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Tell all workers not to begin any task that is stamped with one of the `headers`: ``{header: value(s)}``.

        The other arguments are those of `revoke`.  This task is revoked only if it has such a stamp.
        """
        return revoke_by_stamped_headers(self.app, headers, connection, terminate, signal, wait, timeout)

    # -- what it called -----------------------------------------------------------------------------------------------

    def iterdeps(self, intermediate: bool = False) -> Iterator[tuple[Any, Any]]:
        """See `family.iterdeps`: pairs of caller and called, this result first."""
        return iterdeps(self, intermediate)

    def collect(self, intermediate: bool = False, **kwargs: Any) -> Iterator[tuple[Any, Any]]:
        """(result, value) of this task and of all that it called, and these called; waits for each as `get`.

        `kwargs` are those of `get`.  With `intermediate` what was called by one that has not ended is left out.
        """
        for _, result in self.iterdeps(intermediate):
            yield result, result.get(**kwargs)

    def get_leaf(self) -> Any:
        """The value of the last of the tasks that `iterdeps` finds; waits for each."""
        value = None
        for _, result in self.iterdeps():
            value = result.get()
        return value

    def build_graph(self, intermediate: bool = False, formatter: Any = None) -> DependencyGraph:
        """The graph of `iterdeps`; its `to_dot` draws it."""
        return build_graph(self, intermediate, formatter)

    @property
    def graph(self) -> DependencyGraph:
        """The graph of a task that has ended, and of all that it called."""
        if self._graph is None:
            self._graph = self.build_graph()
        return self._graph
