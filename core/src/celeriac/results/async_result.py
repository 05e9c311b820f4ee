"""The result of a task that runs elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from celeriac import states
from celeriac.app.current import get_current_app, get_current_request
from celeriac.exceptions import TaskError, TaskRevokedError, TimeoutError
from celeriac.protocol.results import decode_exception

if TYPE_CHECKING:
    from celeriac.app.base import Celery

R = TypeVar("R")

_MESSAGE = (
    "Never call result.get() within a task: the worker that waits may be the one that is waited for. Use a chain or a "
    "callback, or pass disable_sync_subtasks=False if you are sure"
)


class AsyncResult(Generic[R]):
    """The promise of a task's result; cheap to make, asks the store when it is asked."""

    TimeoutError = TimeoutError

    __slots__ = ("__weakref__", "_app", "_cache", "id", "ignored", "parent", "task_name")

    def __init__(
        self, id: str, backend: Any = None, task_name: str | None = None, app: Celery | None = None, parent: Any = None
    ) -> None:
        if id is None:
            raise ValueError("AsyncResult requires a valid id, not None")
        self.id = id
        self.task_name = task_name
        self.parent = parent
        self.ignored = False
        self._app = app
        self._cache: dict[str, Any] | None = None

    @property
    def app(self) -> Celery:
        """The app whose store is asked."""
        return self._app or get_current_app()

    @property
    def backend(self) -> Any:
        """The result store."""
        return self.app.backend

    @property
    def task_id(self) -> str:
        """The id of the task."""
        return self.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.id}>"

    def __str__(self) -> str:
        return self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AsyncResult):
            return self.id == other.id
        return self.id == other if isinstance(other, str) else NotImplemented

    def __reduce__(self) -> Any:
        return type(self), (self.id, None, self.task_name, None, self.parent)

    # -- asking -------------------------------------------------------------------------------------------------------

    def _meta(self) -> dict[str, Any]:
        """What the store knows; a final state is asked for once."""
        if self._cache is None:
            meta = self.app.results.meta(self.id)
            if meta["status"] not in states.READY_STATES:
                return meta
            self._cache = meta
        return self._cache

    @property
    def state(self) -> str:
        """The state: PENDING also for a task that nobody has heard of."""
        state: str = self._meta()["status"]
        return state

    status = state

    @property
    def result(self) -> Any:
        """The return value, the exception of a task that failed, or what ``update_state`` gave."""
        meta = self._meta()
        return _value(meta)

    info = result

    @property
    def traceback(self) -> str | None:
        """The worker's traceback, as text."""
        text: str | None = self._meta().get("traceback")
        return text

    @property
    def date_done(self) -> Any:
        """When the task ended, as a datetime; None before."""
        from celeriac.protocol.timestamps import parse_iso

        text = self._meta().get("date_done")
        return parse_iso(text) if isinstance(text, str) else text

    @property
    def children(self) -> list[Any] | None:
        """The results of the tasks that this one called."""
        children: list[Any] | None = self._meta().get("children")
        return [self.app.results.from_tuple(child) for child in children] if children else children

    def _extended(self, key: str) -> Any:
        return self._meta().get(key)

    name = property(lambda self: self._extended("name"), doc="The task's name, with result_extended.")
    args = property(lambda self: self._extended("args"), doc="The arguments, with result_extended.")
    kwargs = property(lambda self: self._extended("kwargs"), doc="The keyword arguments, with result_extended.")
    worker = property(lambda self: self._extended("worker"), doc="The worker, with result_extended.")
    retries = property(lambda self: self._extended("retries"), doc="The retries, with result_extended.")
    queue = property(lambda self: self._extended("queue"), doc="The queue, with result_extended.")

    def ready(self) -> bool:
        """True once the task has ended."""
        return self.state in states.READY_STATES

    def successful(self) -> bool:
        """True when it has succeeded."""
        return self.state == states.SUCCESS

    def failed(self) -> bool:
        """True when it has failed."""
        return self.state == states.FAILURE

    def exists(self) -> bool:
        """True when the store knows the task."""
        return bool(self.app.results.fetch([self.id]))

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
        EXCEPTION_STATES: frozenset[str] = states.EXCEPTION_STATES,
        PROPAGATE_STATES: frozenset[str] = states.PROPAGATE_STATES,
    ) -> R:
        """Wait for the task to end and return what it returned.

        Raises the task's exception (unless `propagate` is False: then it is returned), `TimeoutError` after `timeout`
        seconds, RuntimeError inside a task.
        """
        if self.ignored:
            return None  # type: ignore[return-value]  # there is no result to have
        if disable_sync_subtasks:
            assert_not_in_task()
        if self.is_pending:
            watched = {self.id: self}
            if propagate and follow_parents:
                # Where one of those before it fails, this one never runs.
                watched.update((parent.id, parent) for parent in self.ancestors() if parent.is_pending)
                self._raise_for_ancestors(PROPAGATE_STATES)

            def keep(meta: dict[str, Any]) -> bool:
                found = watched[meta["task_id"]]
                found.keep(meta)
                return found is self or meta["status"] in PROPAGATE_STATES

            self.app.results.wait(watched, timeout, keep, on_interval, on_message, interval)
            if self.is_pending:
                self._raise_for_ancestors(PROPAGATE_STATES)
        value: R = self._outcome(propagate, callback, PROPAGATE_STATES)
        return value

    wait = get

    @property
    def is_pending(self) -> bool:
        """True while it is not known here that the task has ended; asks nobody."""
        return self._cache is None

    def keep(self, meta: dict[str, Any]) -> None:
        """Take over what the store has told of a task that has ended."""
        self._cache = meta

    def verdict(self) -> bool | None:
        """Whether getting it will raise, as far as it is known here; None while that is open.  Asks nobody."""
        if not self.is_pending:
            return self.is_known_to_fail
        if self.ignored:
            return False
        return True if any(parent.is_known_to_fail for parent in self.ancestors()) else None

    @property
    def is_known_to_fail(self) -> bool:
        """True where it is known here that the task has failed; asks nobody."""
        return not self.is_pending and self._meta()["status"] in states.PROPAGATE_STATES

    def ancestors(self) -> Iterator[AsyncResult[Any]]:
        """The results of the tasks before it in its chain, nearest first.

        Not those of groups: what follows a group is told of its failure, as a `ChordError`.
        """
        return (parent for parent in self._parents() if isinstance(parent, AsyncResult))

    def _raise_for_ancestors(self, failing: frozenset[str]) -> None:
        for parent in reversed(list(self.ancestors())):
            if parent.is_known_to_fail:
                parent._outcome(True, None, failing)

    def _parents(self) -> Iterator[Any]:
        parent = self.parent
        while parent is not None:
            yield parent
            parent = parent.parent

    def _outcome(
        self,
        propagate: bool,
        callback: Callable[[str, Any], Any] | None,
        failing: frozenset[str] = states.PROPAGATE_STATES,
    ) -> Any:
        meta = self._meta()
        value = _value(meta)
        if callback is not None:
            callback(self.id, value)
        if propagate and meta["status"] in failing:
            if not isinstance(value, BaseException):  # a store, or a client, that does not say what went wrong
                kind = TaskRevokedError if meta["status"] == states.REVOKED else TaskError
                value = kind(
                    f"task {self.id} ended as {meta['status']}, and its result does not say why: {value!r:.200}"
                )
            raise _with_remote_traceback(value, meta, self.app)
        return value

    def maybe_throw(self, propagate: bool = True, callback: Callable[[str, Any], Any] | None = None) -> Any:
        """The value so far; raises the exception of a task that has failed."""
        return self._outcome(propagate, callback)

    maybe_reraise = maybe_throw

    def throw(self) -> Any:
        """Raise the exception of a task that has failed."""
        return self._outcome(True, None)

    def forget(self) -> None:
        """Remove the result, and those of its parents, from the store."""
        self._cache = None
        for parent in self._parents():
            parent.forget()
        self.app.results.forget([self.id])

    # -- passing on ---------------------------------------------------------------------------------------------------

    def as_tuple(self) -> tuple[Any, Any]:
        """The form of the wire."""
        return (self.id, self.parent.as_tuple() if self.parent is not None else None), None

    def as_list(self) -> list[str]:
        """This id and those of its parents."""
        return [self.id, *(parent.id for parent in self._parents())]


def _value(meta: dict[str, Any]) -> Any:
    result = meta.get("result")
    if meta["status"] in states.EXCEPTION_STATES and result is not None and not isinstance(result, BaseException):
        return decode_exception(result)
    return result


def _with_remote_traceback(error: BaseException, meta: dict[str, Any], app: Celery) -> BaseException:
    text = meta.get("traceback")
    if text and app.conf.task_remote_tracebacks and not any(text in note for note in getattr(error, "__notes__", ())):
        error.add_note(f"Traceback in the worker:\n{text}")
    return error


def assert_not_in_task() -> None:
    """Raises RuntimeError inside a task of a worker."""
    request = get_current_request()
    if request is not None and not request.called_directly and not request.is_eager:
        raise RuntimeError(_MESSAGE)
