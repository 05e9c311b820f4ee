"""One execution of a task from its request to its end: handlers, signals, retries, what follows."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable
from traceback import format_exception
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from celeriac import signals, states
from celeriac.app.coroutines import awaited
from celeriac.app.current import pop_running, push_running
from celeriac.app.errbacks import call_errbacks
from celeriac.app.following import follow
from celeriac.app.retrying import classes
from celeriac.app.task import Task
from celeriac.contracts.middleware import bind
from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import Ignore, Reject, Retry

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.app.context import Context

logger = logging.getLogger("celeriac.app.trace")

#: Values of which no serializer needs to be asked.
_ALWAYS_ENCODED: Final = frozenset({type(None), bool, int})


class Ended(NamedTuple):
    """How an execution ended.  `value` is the return value or the exception, `runtime` in seconds."""

    kind: OutcomeKind
    state: str
    value: Any
    runtime: float
    traceback: str | None = None
    retry: Retry | None = None
    requeue: bool = False
    einfo: ErrorInfo | None = None


class ErrorInfo(NamedTuple):
    """What handlers and signals get as ``einfo``."""

    exception: BaseException
    traceback: str
    type: type[BaseException]
    tb: Any = None

    def __str__(self) -> str:
        return self.traceback


class Trace:
    """Runs one task; made once per task and process, with everything that does not change worked out."""

    def __init__(self, app: Celery, task: Any, eager: bool = False) -> None:
        self.app = app
        self.task = task
        self.eager = eager
        kind = type(task)
        # First: whoever brings a layer may have something to replace on the task.
        layers = app.plugins.middlewares("execute")
        self._run = self._callable(kind)
        self._wrapped: Callable[[Context], Any] | None = bind(layers, self._core) if layers else None
        self._throws = classes(task.throws)
        self._before_start = task.overrides("before_start")
        self._on_success = task.overrides("on_success")
        self._after_return = task.overrides("after_return")
        #: Whether results are stored, and whether the task itself wants to know how it has ended.
        self._stores = (not eager or task.store_eager_result) and not app.results.of_task(task).backend.disabled
        self._is_told = self._on_success or self._after_return or task.overrides("on_failure")
        self._fixups = app.fixups

    def _callable(self, kind: type[Any]) -> Callable[..., Any]:
        """What to call: ``run`` itself, unless the task's class has a ``__call__`` of its own."""
        task = self.task
        run: Callable[..., Any] = task if kind.__call__ is not Task.__call__ else task.run
        if inspect.iscoroutinefunction(inspect.unwrap(task.run)):
            return awaited(run)
        return run

    def _core(self, request: Context) -> Any:
        return self._run(*request.args, **request.kwargs)

    def __call__(self, request: Context, args: list[Any], kwargs: dict[str, Any]) -> Ended:
        """Run.  Raises nothing that the task raises, but `SystemExit` and `KeyboardInterrupt`."""
        token = push_running(self.task, request)
        begun = time.perf_counter()
        try:
            try:
                self._started(request, args, kwargs)
                value = self._run(*args, **kwargs) if self._wrapped is None else self._wrapped(request)
                runtime = time.perf_counter() - begun
                # Nobody looks at a value once more after an eager run.
                if self.eager or self._is_told or request.errbacks or signals.task_success or signals.task_failure:
                    self._check(request, value)
                self._follow(request, value)
                ended = Ended(OutcomeKind.SUCCESS, states.SUCCESS, value, runtime)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001  # whatever a task raises is its outcome
                ended = self._raised(request, args, kwargs, error, time.perf_counter() - begun)
            else:
                if self._on_success or signals.task_success:
                    self._succeeded(request, value, runtime, args, kwargs)
            self._end(request, ended, args, kwargs)
            return ended
        finally:
            pop_running(token)

    def _started(self, request: Context, args: Any, kwargs: Any) -> None:
        """Tell of the start."""
        task, task_id = self.task, request.id or ""
        for fixup in self._fixups:
            fixup.on_task_start(task_id, task)
        if signals.task_prerun:
            signals.task_prerun.send(sender=task, task_id=task_id, task=task, args=args, kwargs=kwargs)
        if self._before_start:
            task.before_start(task_id, args, kwargs)

    # -- the ways to end ----------------------------------------------------------------------------------------------

    def _check(self, request: Context, value: Any) -> None:
        """Raise `SerializationError` for a value that cannot be stored, before anybody is told of a success.

        Storing it will encode it once more, so that is done only where somebody is to be told.
        """
        is_stored = self._stores and (not request.ignore_result or request.chord is not None)
        if is_stored and type(value) not in _ALWAYS_ENCODED:
            self.app.serializers.encode(self.app.results.storable(value), self.app.conf.result_serializer)

    def _follow(self, request: Context, value: Any) -> None:
        """Send what waits for the value, as one batch: callbacks, and the next of the chain."""
        if request.callbacks or request.chain:
            follow(self.app, self.task, request, value)

    def _succeeded(self, request: Context, value: Any, runtime: float, args: Any, kwargs: Any) -> None:
        signals.task_success.send(sender=self.task, result=value, runtime=runtime)
        if self._on_success:
            quietly(self.task, self.task.on_success, value, request.id, args, kwargs)

    def _raised(self, request: Context, args: Any, kwargs: Any, error: BaseException, runtime: float) -> Ended:
        if isinstance(error, Reject):
            return Ended(OutcomeKind.REJECTED, states.REJECTED, error, runtime, requeue=error.requeue)
        if isinstance(error, Ignore):
            return Ended(OutcomeKind.IGNORED, states.IGNORED, error, runtime)
        text = "".join(format_exception(error))
        info = ErrorInfo(error, text, type(error), error.__traceback__)
        task, task_id = self.task, request.id
        if isinstance(error, Retry):
            cause = error.exc if error.exc is not None else error
            signals.task_retry.send(sender=task, request=request, reason=error, einfo=info)
            quietly(self.task, task.on_retry, cause, task_id, args, kwargs, info)
            return Ended(OutcomeKind.RETRY, states.RETRY, cause, runtime, text, error, einfo=info)
        if not self.eager:
            self._log(request, error)
        tell_failure(task, task_id, error, args, kwargs, info)
        if request.errbacks:
            call_errbacks(self.app, request, error, text)
        return Ended(OutcomeKind.FAILURE, states.FAILURE, error, runtime, text, einfo=info)

    def _log(self, request: Context, error: BaseException) -> None:
        """Log a failure: with its traceback, unless the task says that such errors belong to its life."""
        name, task_id = request.shadow or self.task.name, request.id
        if isinstance(error, self._throws):
            logger.info("Task %s[%s] failed, as it may: %r", name, task_id, error)
        else:
            logger.error("Task %s[%s] failed: %r", name, task_id, error, exc_info=error)

    def _end(self, request: Context, ended: Ended, args: Any, kwargs: Any) -> None:
        task, task_id = self.task, request.id or ""
        value = ended.value if ended.retry is None else ended.retry
        if self._after_return:
            quietly(self.task, task.after_return, ended.state, value, task_id, args, kwargs, ended.einfo)
        if signals.task_postrun:
            signals.task_postrun.send(
                sender=task, task_id=task_id, task=task, args=args, kwargs=kwargs, retval=value, state=ended.state
            )
        for fixup in self._fixups:
            fixup.on_task_end(task_id, task)


def tell_failure(task: Any, task_id: str | None, error: BaseException, args: Any, kwargs: Any, info: ErrorInfo) -> None:
    """Send task_failure, and call the task's ``on_failure``."""
    signals.task_failure.send(
        sender=task,
        task_id=task_id,
        exception=error,
        args=args,
        kwargs=kwargs,
        traceback=error.__traceback__,
        einfo=info,
    )
    quietly(task, task.on_failure, error, task_id, args, kwargs, info)


def quietly(task: Any, handler: Callable[..., Any], *args: Any) -> None:
    """Call a handler of the user's; what it raises is logged and changes nothing."""
    try:
        handler(*args)
    except Exception:
        logger.exception("Handler %s of task %s raised", getattr(handler, "__name__", handler), task.name)
