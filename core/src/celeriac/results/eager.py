"""Tasks that run where they are called, and results that are there at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from celeriac import states
from celeriac.app.context import Context
from celeriac.app.current import get_current_request
from celeriac.protocol.origin import hostname
from celeriac.protocol.stamps import listed, stamps_in
from celeriac.results.async_result import AsyncResult

if TYPE_CHECKING:
    from celeriac.app.base import Celery

R = TypeVar("R")


class EagerResult(AsyncResult[R]):
    """The result of a task that has run already."""

    __slots__ = ("_result", "_state", "_traceback")

    def __init__(
        self, id: str, ret_value: Any, state: str, traceback: str | None = None, name: str | None = None
    ) -> None:
        super().__init__(id, task_name=name)
        self._result = ret_value
        self._state = state
        self._traceback = traceback

    def __repr__(self) -> str:
        return f"<EagerResult: {self.id}>"

    def __reduce__(self) -> Any:
        return type(self), (self.id, self._result, self._state, self._traceback, self.task_name)

    def __copy__(self) -> EagerResult[R]:
        made: EagerResult[R] = type(self)(self.id, self._result, self._state, self._traceback, self.task_name)
        made.parent, made._app = self.parent, self._app
        return made

    @property
    def is_pending(self) -> bool:
        """Always False."""
        return False

    def _get_task_meta(self) -> dict[str, Any]:
        return {
            "status": self._state,
            "result": self._result,
            "traceback": self._traceback,
            "children": [],
            "task_id": self.id,
            "name": self.task_name,
        }

    def get(  # type: ignore[override]  # nothing to wait for
        self, timeout: float | None = None, propagate: bool = True, disable_sync_subtasks: bool = True, **kwargs: Any
    ) -> R:
        """What the task returned.  Raises its exception, unless `propagate` is False.

        Nothing is waited for, so it may be asked for in a task, and the other arguments make no difference.
        """
        value: R = self._outcome(propagate, kwargs.get("callback"))
        return value

    wait = get  # type: ignore[assignment]  # as above

    async def aget(  # type: ignore[override]  # as above
        self, timeout: float | None = None, propagate: bool = True, disable_sync_subtasks: bool = True, **kwargs: Any
    ) -> R:
        """The same as `get`."""
        return self.get(timeout, propagate, disable_sync_subtasks, **kwargs)

    @property
    def supports_native_join(self) -> bool:
        """False: there is nothing to wait for."""
        return False

    def ready(self) -> bool:
        """Always True."""
        return True

    def exists(self) -> bool:
        """Always True."""
        return True

    def forget(self) -> None:
        """Nothing was stored."""

    def revoke(self, *args: Any, **kwargs: Any) -> None:
        """From now on the task counts as revoked."""
        self._state = states.REVOKED


def run(
    app: Celery, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
) -> EagerResult[Any]:
    """Run `task` here, with retries, as a worker would; see `Task.apply`."""
    from celeriac.app.tracing import Trace

    throw = options.get("throw")
    throw = app.conf.task_eager_propagates if throw is None else throw
    task_id: str = options["task_id"]
    parent = get_current_request()
    root_id, parent_id = options.get("root_id"), options.get("parent_id")
    if parent is not None:
        root_id = root_id or parent.root_id or parent.id
        parent_id = parent_id or parent.id
    ignored = options.get("ignore_result")
    request = Context(
        id=task_id,
        task=task.name,
        args=args,
        kwargs=kwargs,
        retries=options.get("retries") or 0,
        is_eager=True,
        called_directly=False,
        callbacks=listed(options.get("link")),
        errbacks=listed(options.get("link_error")),
        headers=dict(options.get("headers") or {}),
        delivery_info={
            "is_eager": True,
            "exchange": options.get("exchange"),
            "routing_key": options.get("routing_key"),
            "priority": options.get("priority"),
        },
        hostname=hostname(),
        logfile=options.get("logfile"),
        loglevel=options.get("loglevel"),
        reply_to=options.get("reply_to"),
        ignore_result=task.ignore_result if ignored is None else ignored,
        replaced_task_nesting=options.get("replaced_task_nesting") or 0,
        root_id=root_id or task_id,
        parent_id=parent_id,
        group=options.get("group_id"),
        group_index=options.get("group_index"),
        chain=options.get("chain"),
        chord=options.get("chord"),
        stamped_headers=options.get("stamped_headers"),
        stamps=stamps_in(options),
    )
    ended = Trace(app, task, eager=True)(request, list(args), dict(kwargs))
    if task.store_eager_result and not request.ignore_result and ended.state in states.ALL_STATES:
        entry = app.results.entry(task_id, ended.state, ended.value, ended.traceback, request)
        app.results.of_task(task).store([entry])
    if ended.state == states.RETRY and ended.retry is not None and ended.retry.sig is not None:
        again: EagerResult[Any] = ended.retry.sig.apply(retries=request.retries + 1, throw=throw)
        return again
    if throw and isinstance(ended.value, BaseException) and ended.state in states.PROPAGATE_STATES:
        raise ended.value
    return EagerResult(task_id, ended.value, ended.state, traceback=ended.traceback, name=task.name)
