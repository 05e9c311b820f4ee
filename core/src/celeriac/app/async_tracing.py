"""One execution of a coroutine task in an event loop that has other tasks to run meanwhile."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from celeriac import signals, states
from celeriac.app.current import pop_running, push_running
from celeriac.app.task import Task
from celeriac.app.tracing import Ended, Trace
from celeriac.contracts.middleware import bind_async
from celeriac.contracts.outcome import OutcomeKind

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.app.context import Context


def async_trace(app: Celery, task: Any) -> AsyncTrace | None:
    """The trace of a coroutine function; None for tasks that must run in a thread."""
    if not inspect.iscoroutinefunction(inspect.unwrap(task.run)):
        return None
    trace = AsyncTrace(app, task)
    return trace if trace.can_await else None


class AsyncTrace(Trace):
    """What `Trace` is for other tasks.  Signals and handlers are called in the loop, the broker is called elsewhere."""

    def __init__(self, app: Celery, task: Any) -> None:
        super().__init__(app, task)
        self._awaited = bind_async(app.plugins.middlewares("execute"), self._await_core)

    @property
    def can_await(self) -> bool:
        """Whether each layer of execute middleware can be awaited."""
        return self._awaited is not None

    def _callable(self, kind: type[Any]) -> Callable[..., Any]:
        return self.task if kind.__call__ is not Task.__call__ else self.task.run  # type: ignore[no-any-return]  # any

    async def _await_core(self, request: Context) -> Any:
        value = self._run(*request.args, **request.kwargs)
        return await value if inspect.isawaitable(value) else value

    async def run(self, request: Context, args: list[Any], kwargs: dict[str, Any]) -> Ended:
        """Run.  Raises nothing that the task raises, but `SystemExit` and `KeyboardInterrupt`.

        Raises the `asyncio.CancelledError` of whoever cancels the asyncio task that awaits this.
        """
        assert self._awaited is not None
        task = self.task
        token = push_running(task, request)
        begun = time.perf_counter()
        try:
            try:
                self._started(request, args, kwargs)
                value = await self._awaited(request)
                runtime = time.perf_counter() - begun
                if self._is_told or request.errbacks or signals.task_success or signals.task_failure:
                    self._check(request, value)
                if request.callbacks or request.chain:
                    await asyncio.to_thread(self._follow, request, value)
                ended = Ended(OutcomeKind.SUCCESS, states.SUCCESS, value, runtime)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) and _is_cancelled_from_outside():
                    raise
                runtime = time.perf_counter() - begun
                if request.errbacks:
                    ended = await asyncio.to_thread(self._raised, request, args, kwargs, error, runtime)
                else:
                    ended = self._raised(request, args, kwargs, error, runtime)
            else:
                if self._on_success or signals.task_success:
                    self._succeeded(request, value, runtime, args, kwargs)
            self._end(request, ended, args, kwargs)
            return ended
        finally:
            pop_running(token)


def _is_cancelled_from_outside() -> bool:
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0
