"""Tasks that can be asked to stop, and look now and then whether they have been.

The request is a state of the task, ``ABORTED``, in the result store: whoever has the id may ask, and a task that looks
(`AbortableTask.is_aborted`) decides where it can stop.  It needs a result store that the worker and the asking program
share.
"""

from __future__ import annotations

from typing import Any, Final, ParamSpec, TypeVar

from celeriac import states
from celeriac.app.task import Task
from celeriac.results.async_result import AsyncResult

P = ParamSpec("P")
R = TypeVar("R")

#: The state of a task that has been asked to stop.
ABORTED: Final = "ABORTED"


class AbortableAsyncResult(AsyncResult[R]):
    """The result of a task that can be asked to stop."""

    __slots__ = ()

    def is_aborted(self) -> bool:
        """Whether the task has been asked to stop, and has not ended since."""
        return self.state == ABORTED

    def abort(self) -> None:
        """Ask the task to stop; without effect on one that has ended, or that does not look.

        Raises `StoreUnavailable` when the store stays out of reach.
        """
        if self.state not in states.READY_STATES:
            self.service.store_state(self.id, ABORTED, None)


class AbortableTask(Task[P, R]):
    """The base of tasks that can be asked to stop: ``@app.task(bind=True, base=AbortableTask)``."""

    abstract = True

    def AsyncResult(self, task_id: str, **kwargs: Any) -> AbortableAsyncResult[R]:
        """The result of an earlier call, by id."""
        app = self._get_app()
        if self._named_backend is not None:
            kwargs.setdefault("backend", self.backend)
        return AbortableAsyncResult(task_id, app=app, task_name=self.name, **kwargs)

    def is_aborted(self, **kwargs: Any) -> bool:
        """Whether the running task (or the one whose `task_id` is given) has been asked to stop.

        Asks the store each time.  Raises ValueError outside of a running task, `StoreUnavailable`.
        """
        task_id = kwargs.get("task_id") or self.request.id
        if task_id is None:
            raise ValueError("is_aborted outside of a running task needs a task_id")
        return self.AsyncResult(task_id).is_aborted()


__all__ = ["ABORTED", "AbortableAsyncResult", "AbortableTask"]
