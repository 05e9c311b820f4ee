"""What is known of the result of a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from celeriac import states
from celeriac.app.belonging import reduced
from celeriac.exceptions import TimeoutError
from celeriac.protocol.timestamps import parse_iso
from celeriac.results.base import ResultBase
from celeriac.results.value import error_of, value_of

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.backend import Backend
    from celeriac.graph import DependencyGraph
    from celeriac.results.service import Results

R = TypeVar("R")


class TaskResult(ResultBase, Generic[R]):
    """What is known of the result of one task; asks the store when it is asked, and no more once the task has ended."""

    TimeoutError: ClassVar[type[TimeoutError]] = TimeoutError

    __slots__ = (
        "__weakref__",
        "_app",
        "_backend",
        "_cache",
        "_children",
        "_graph",
        "_then",
        "id",
        "ignored",
        "parent",
        "task_name",
    )

    def __init__(
        self,
        id: str,
        backend: Backend | None = None,
        task_name: str | None = None,
        app: Celery | None = None,
        parent: Any = None,
    ) -> None:
        if id is None:
            raise ValueError("AsyncResult requires a valid id, not None")
        self.id = id
        self.task_name = task_name
        self.parent = parent
        #: The task's result is not stored, so there is nothing to wait for.
        self.ignored = False
        self._app = app
        self._backend = backend
        self._cache: dict[str, Any] | None = None
        self._children: list[Any] | None = None
        self._graph: DependencyGraph | None = None
        self._then: list[tuple[Callable[[Any], Any], Callable[[Exception], Any] | None]] | None = None

    @property
    def backend(self) -> Backend:
        """The result store: the app's, unless another one was given."""
        return self._backend or self.app.backend

    @backend.setter
    def backend(self, backend: Backend | None) -> None:
        self._backend = backend

    @property
    def service(self) -> Results:
        """What asks the store on behalf of this result."""
        return self.app.results.of(self._backend)

    @property
    def task_id(self) -> str:
        """The id of the task."""
        return self.id

    @property
    def supports_native_join(self) -> bool:
        """Whether many results can be waited for at once, which all stores can."""
        return not self.backend.disabled

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.id}>"

    def __str__(self) -> str:
        return self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TaskResult):
            return self.id == other.id
        return self.id == other if isinstance(other, str) else NotImplemented

    def __copy__(self) -> Self:
        return type(self)(self.id, self._backend, self.task_name, self._app, self.parent)

    def __reduce__(self) -> Any:
        return reduced(self, (self.id, None, self.task_name, None, self.parent))

    # -- asking -------------------------------------------------------------------------------------------------------

    def _get_task_meta(self) -> dict[str, Any]:
        """What the store knows; a final state is asked for once.  By Celery's name: packages ask for it."""
        if self._cache is None:
            meta = self.service.meta(self.id)
            if meta["status"] in states.READY_STATES:
                self.keep(meta)
            return meta
        return self._cache

    @property
    def state(self) -> str:
        """The state: PENDING also for a task that nobody has heard of."""
        state: str = self._get_task_meta()["status"]
        return state

    status = state

    @property
    def result(self) -> Any:
        """The return value, the exception of a task that failed, or what ``update_state`` gave."""
        return value_of(self._get_task_meta())

    info = result

    @property
    def traceback(self) -> str | None:
        """The worker's traceback, as text."""
        text: str | None = self._extended("traceback")
        return text

    @property
    def date_done(self) -> datetime | None:
        """When the task ended; None before."""
        done: Any = self._get_task_meta().get("date_done")
        return parse_iso(done) if isinstance(done, str) else done

    @property
    def children(self) -> list[Any] | None:
        """The results of the tasks that this one called."""
        if self._children is not None:
            return self._children
        found: list[Any] | None = self._get_task_meta().get("children")
        children = [self.app.results.from_tuple(child) for child in found] if found else found
        if not self.is_pending:
            self._children = children
        return children

    @property
    def name(self) -> str | None:
        """The task's name, with ``result_extended``."""
        found: str | None = self._extended("name")
        return found

    @property
    def args(self) -> Any:
        """The task's arguments, with ``result_extended``."""
        return self._extended("args")

    @property
    def kwargs(self) -> Any:
        """The task's keyword arguments, with ``result_extended``."""
        return self._extended("kwargs")

    @property
    def worker(self) -> str | None:
        """The worker that ran the task, with ``result_extended``."""
        found: str | None = self._extended("worker")
        return found

    @property
    def retries(self) -> int | None:
        """How often the task was tried again, with ``result_extended``."""
        found: int | None = self._extended("retries")
        return found

    @property
    def queue(self) -> str | None:
        """The queue that the task came from, with ``result_extended``."""
        found: str | None = self._extended("queue")
        return found

    def _extended(self, key: str) -> Any:
        return self._get_task_meta().get(key)

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
        return bool(self.service.fetch([self.id]))

    def forget(self) -> None:
        """Remove the result, and those of its parents, from the store."""
        ids = [self.id]
        self._cache = self._children = self._graph = None
        for parent in self.parents():
            if isinstance(parent, TaskResult):
                parent._cache = parent._children = parent._graph = None
                ids.append(parent.id)
            else:
                parent.forget()
        self.service.forget(ids)

    # -- what is known here, without asking anybody -------------------------------------------------------------------

    @property
    def is_pending(self) -> bool:
        """True while it is not known here that the task has ended."""
        return self._cache is None

    @property
    def is_known_to_fail(self) -> bool:
        """True where it is known here that the task has failed."""
        return not self.is_pending and self._get_task_meta()["status"] in states.PROPAGATE_STATES

    def told(self) -> dict[str, Any]:
        """The meta as `iter_native` gives it: with the value or the exception in it."""
        meta = self._get_task_meta()
        return {**meta, "result": value_of(meta)}

    def keep(self, meta: dict[str, Any]) -> None:
        """Take over what the store has told of a task that has ended; calls what `then` was given."""
        self._cache = meta
        following, self._then = self._then, None
        for callback, on_error in following or ():
            _call(callback, on_error, self)

    def ancestors(self) -> Iterator[TaskResult[Any]]:
        """The results of the tasks before it in its chain, nearest first.

        Not those of groups: what follows a group is told of its failure, as a `ChordError`.
        """
        return (parent for parent in self.parents() if isinstance(parent, TaskResult))

    def then(
        self,
        callback: Callable[[Self], Any],
        on_error: Callable[[Exception], Any] | None = None,
        weak: bool = False,
    ) -> Self:
        """Call ``callback(result)`` once it is known here that the task has ended, however it did; gives the result.

        That is at once, or when somebody waits for it or asks for its state, in the thread that does; nobody waits for
        the sake of the callback.  What it raises goes to `on_error`, else to that thread.  `weak` makes no difference:
        the callback lives as long as the result.
        """
        if self.is_pending:
            self._then = [*(self._then or ()), (callback, on_error)]
        else:
            _call(callback, on_error, self)
        return self

    # -- how it ended -------------------------------------------------------------------------------------------------

    def _outcome(
        self,
        propagate: bool,
        callback: Callable[[str, Any], Any] | None,
        failing: frozenset[str] = states.PROPAGATE_STATES,
    ) -> Any:
        meta = self._get_task_meta()
        value = value_of(meta)
        if callback is not None:
            callback(self.id, value)
        if propagate and meta["status"] in failing:
            raise error_of(meta, value, self.app.conf.task_remote_tracebacks)
        return value

    def maybe_throw(self, propagate: bool = True, callback: Callable[[str, Any], Any] | None = None) -> Any:
        """The value so far; raises the exception of a task that has failed."""
        return self._outcome(propagate, callback)

    maybe_reraise = maybe_throw

    def throw(self, *args: Any, **kwargs: Any) -> Any:
        """Raise the exception that is given, else that of the task if it has failed; else gives the value."""
        for error in (*args, *kwargs.values()):
            if isinstance(error, BaseException):
                raise error
        return self._outcome(True, None)

    # -- passing on ---------------------------------------------------------------------------------------------------

    def member_tuples(self) -> None:
        """None: it is no group."""
        return

    def as_list(self) -> list[str]:
        """This id and those of its parents."""
        return [self.id, *(parent.id for parent in self.parents())]


def _call(callback: Callable[[Any], Any], on_error: Callable[[Exception], Any] | None, result: Any) -> None:
    try:
        callback(result)
    except Exception as error:
        if on_error is None:
            raise
        on_error(error)
