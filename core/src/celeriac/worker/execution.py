"""What runs where the tasks run: bodies decoded, tasks traced, results stored in batches."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from traceback import format_exception
from typing import TYPE_CHECKING, Any, Final

from celeriac import signals, states
from celeriac.app.async_tracing import AsyncTrace, async_trace
from celeriac.app.context import Context
from celeriac.app.coroutines import close_loop
from celeriac.app.tracing import Ended, ErrorInfo, Trace
from celeriac.canvas.aftermath import deposit
from celeriac.canvas.completion import store
from celeriac.contracts.chords import Deposit
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job, Report
from celeriac.exceptions import (
    BackendError,
    ProtocolError,
    SecurityError,
    SerializationError,
    SoftTimeLimitExceeded,
    StoreUnavailable,
)
from celeriac.protocol.body import TaskBody, decode_body
from celeriac.protocol.headers import HEADER_KEYS
from celeriac.protocol.reprs import safe_repr
from celeriac.worker.backoff import Backoff
from celeriac.worker.doubles import Doubles
from celeriac.worker.store_away import StoreAway

if TYPE_CHECKING:
    from celeriac.app.base import Celery

logger = logging.getLogger("celeriac.worker.execution")

#: Outcomes whose result belongs into the store even where results are not wanted.
_ERRORS = frozenset({OutcomeKind.FAILURE})
#: The longest pause, in seconds, between two tries to reach a result store.
_LONGEST_PAUSE: Final = 2.0


def executor_factory(app: Celery, hostname: str, in_child: bool = False) -> Callable[[], TaskExecutor]:
    """A function that makes the executor, once per child or thread; called in a child it also announces the process.

    A child is any other process than this one, or this one too where it is one (`in_child`).
    """
    parent = 0 if in_child else os.getpid()

    def make() -> TaskExecutor:
        app.set_current()
        if os.getpid() != parent:
            app.loader.init_worker_process()
            for fixup in app.fixups:
                fixup.on_process_init()
            signals.worker_process_init.send(sender=None)
        return TaskExecutor(app, hostname, os.getpid() != parent)

    return make


class TaskExecutor:
    """Runs jobs for a pool; see `celeriac.contracts.pool.Executor`."""

    def __init__(self, app: Celery, hostname: str, is_in_child: bool = False) -> None:
        self.app = app
        self._is_in_child = is_in_child
        self.hostname = hostname
        self._decode = app.serializers.decode
        self._expand = app.compression.expand
        self._tasks = app.tasks
        self._traces: dict[str, Trace] = {}
        #: Of coroutine functions; None for tasks that are none.
        self._async_traces: dict[str, AsyncTrace | None] = {}
        self._entry = app.results.entry
        self._stores = not app.results.backend.disabled
        self._doubles = Doubles(app)
        #: What storing raises when the store, or the broker that a chord's body goes to, stays away.
        self._out_of_reach: tuple[type[BaseException], ...] = (BackendError, *app.connection_errors)

    # -- running ------------------------------------------------------------------------------------------------------

    def run(self, job: Job) -> Report:
        try:
            return self._run(job)
        except SoftTimeLimitExceeded as error:  # in a line of ours, just before the task or just after it
            return self._without_task(job, OutcomeKind.FAILURE, error)
        except Exception as error:  # noqa: BLE001  # of a fixup, a serializer, a backend: the caller learns of it
            return self._failed_outside(job, error)

    def _run(self, job: Job) -> Report:
        name = job.headers["task"]
        try:
            body = self._body(job)
        except (ProtocolError, SecurityError) as error:
            return self._unreadable(job, error)
        request = self._request(job, body)
        task = self._tasks[name]
        if self._doubles.may_be(job, task, request) and (refused := self._doubles.refusal(job, request)) is not None:
            return refused
        trace = self._traces.get(name)
        if trace is None:
            trace = self._traces[name] = Trace(self.app, task)
        if task.track_started and not request.ignore_result and self._has_store(task):
            self._note_start(task, request)
        return self._report(job, task, request, trace(request, body.args, body.kwargs))

    def awaits(self, job: Job) -> bool:
        """Whether `run_async` can run the job: where its task is a coroutine function."""
        name = job.headers["task"]
        if name not in self._async_traces:
            self._async_traces[name] = async_trace(self.app, self._tasks[name])
        return self._async_traces[name] is not None

    async def run_async(self, job: Job) -> Report:
        """Run a job which `awaits`, in the running event loop, as `run` does in a thread."""
        try:
            return await self._run_async(job)
        except SoftTimeLimitExceeded as error:  # as in `run`
            return self._without_task(job, OutcomeKind.FAILURE, error)
        except Exception as error:  # noqa: BLE001  # likewise
            return self._failed_outside(job, error)

    async def _run_async(self, job: Job) -> Report:
        name = job.headers["task"]
        try:
            body = self._body(job)
        except (ProtocolError, SecurityError) as error:
            return self._unreadable(job, error)
        request = self._request(job, body)
        task, trace = self._tasks[name], self._async_traces[name]
        if self._doubles.may_be(job, task, request):
            refused = await asyncio.to_thread(self._doubles.refusal, job, request)
            if refused is not None:
                return refused
        assert trace is not None
        if task.track_started and not request.ignore_result and self._has_store(task):
            await asyncio.to_thread(self._note_start, task, request)
        return self._report(job, task, request, await trace.run(request, body.args, body.kwargs))

    def enter_thread(self) -> None:
        """Make ready a thread, other than that in which the executor was made, to call `run`."""
        self.app.set_current()

    def _unreadable(self, job: Job, error: Exception) -> Report:
        told = type(error)(f"the body of the message cannot be read: {error}")
        if self.app.serializers.is_signed_only:  # whoever wrote it must not have a result stored in another's name
            return Report(job.number, OutcomeKind.INVALID, None, repr(told))
        return self._without_task(job, OutcomeKind.INVALID, told)

    def _report(self, job: Job, task: Any, request: Context, ended: Ended) -> Report:
        return Report(
            job.number,
            ended.kind,
            ended.runtime,
            safe_repr(ended.value, task.resultrepr_maxsize),
            ended.requeue,
            self._stored(task, request, ended),
            traceback=ended.traceback,
        )

    def _failed_outside(self, job: Job, error: Exception) -> Report:
        logger.error(
            "Task %s[%s] failed outside of its own code", job.headers["task"], job.headers["id"], exc_info=error
        )
        if signals.task_internal_error:
            self._tell_of_internal_error(job, error)
        return self._without_task(job, OutcomeKind.FAILURE, error)

    def _tell_of_internal_error(self, job: Job, error: Exception) -> None:
        try:
            body = self._body(job)
            args, kwargs = body.args, body.kwargs
        except Exception:  # noqa: BLE001  # that may be the very thing that failed
            args, kwargs = [], {}
        signals.task_internal_error.send(
            sender=self._tasks.get(job.headers["task"]),
            task_id=job.headers["id"],
            args=args,
            kwargs=kwargs,
            request=job.headers,
            exception=error,
            traceback=error.__traceback__,
            einfo=ErrorInfo(error, "".join(format_exception(error)), type(error), error.__traceback__),
        )

    def _has_store(self, task: Any) -> bool:
        """Whether results of the task are kept anywhere."""
        if task._named_backend is None:
            return self._stores
        return not self.app.results.of_task(task).backend.disabled

    def _note_start(self, task: Any, request: Context) -> None:
        here = {"pid": os.getpid(), "hostname": self.hostname}
        try:
            self.app.results.of_task(task).store_state(request.id or "", states.STARTED, here, request=request)
        except BackendError as error:  # the task can do without
            logger.warning(
                "Task %s[%s] starts, which the result store was not told: %s", request.task, request.id, error
            )

    def _body(self, job: Job) -> TaskBody:
        data = job.body
        compression = job.headers.get("compression")
        if compression:
            data = self._expand(data, compression)
        return decode_body(self._decode(data, job.content_type))

    def _request(self, job: Job, body: TaskBody) -> Context:
        headers = job.headers
        request = Context()
        fields = request.__dict__
        # Only what the protocol does not name: a retry repeats these, and must not repeat an old count of retries.
        extra = headers.keys() - HEADER_KEYS
        fields["headers"] = {key: headers[key] for key in extra} if extra else {}
        if extra:
            # Whoever may write a message must not write over what a request is.
            headers = {
                key: value for key, value in headers.items() if key in HEADER_KEYS or not hasattr(Context, str(key))
            }
        fields.update(headers)
        fields["args"] = body.args
        fields["kwargs"] = body.kwargs
        fields["callbacks"] = body.callbacks
        fields["errbacks"] = body.errbacks
        fields["chain"] = body.chain
        fields["chord"] = body.chord
        fields["hostname"] = self.hostname
        fields["delivery_info"] = job.delivery_info
        fields["properties"] = job.properties
        fields["reply_to"] = job.properties.get("reply_to")
        fields["correlation_id"] = job.properties.get("correlation_id")
        fields["called_directly"] = False
        fields["is_eager"] = False
        if headers.get("ignore_result") is None:  # also where an older sender says nothing of it
            fields["ignore_result"] = self._tasks[headers["task"]].ignore_result
        return request

    def _stored(self, task: Any, request: Context, ended: Ended) -> Deposit | None:
        kind = ended.kind
        if kind is OutcomeKind.IGNORED or (kind is OutcomeKind.REJECTED and ended.requeue):
            return None
        if kind is OutcomeKind.REJECTED:  # it will not run again, and whoever waits must learn of that
            ended = ended._replace(state=states.FAILURE)
        if ended.retry is not None and ended.retry.sig is not None:
            return None  # `Task.retry` has stored it, before the next try could overtake this one
        is_wanted = self._stores if task._named_backend is None else self._has_store(task)
        if request.ignore_result and not (kind in _ERRORS and task.store_errors_even_if_ignored):
            is_wanted = False
        if request.chord is None and request.chain is None:  # nearly all
            if not is_wanted:
                return None
            entry = self._entry(request.id or "", ended.state, ended.value, ended.traceback, request)
            return Deposit([entry], []) if task._named_backend is None else Deposit([], [], [(task.backend, entry)])
        return deposit(self.app, request, ended.state, ended.value, ended.traceback, is_wanted)

    def _without_task(self, job: Job, kind: OutcomeKind, error: Exception) -> Report:
        task_id = str(job.headers.get("id"))
        home = self.app.results.of_task(self._tasks.get(job.headers["task"]))
        stored = None
        if home is self.app.results and self._stores:
            stored = Deposit([self._entry(task_id, states.FAILURE, error)], [])
        elif home is not self.app.results and not home.backend.disabled:
            stored = Deposit([], [], [(home.backend, self._entry(task_id, states.FAILURE, error))])
        return Report(job.number, kind, None, repr(error), False, stored)

    # -- storing ------------------------------------------------------------------------------------------------------

    def flush(self, reports: list[Report]) -> list[Report]:
        deposits = [report.stored for report in reports if report.stored is not None]
        if not deposits:
            return reports
        try:
            self._store(deposits)
        except SerializationError:  # one of them; nothing is stored yet, so store each by itself
            return [self._flush_one(report) for report in reports]
        except self._out_of_reach as error:
            return self._failed(reports, error)
        except Exception as error:
            logger.exception("Storing results failed in a way in which no store should")
            return self._failed(reports, error)
        return [report._replace(stored=None) for report in reports]

    def _store(self, deposits: list[Deposit]) -> None:
        """Store these, waiting for a store that is out of reach: nobody else has them.

        Raises `StoreUnavailable` only where the settings say how often to try.
        """
        backoff, log = Backoff(longest=_LONGEST_PAUSE), StoreAway()
        while True:
            try:
                store(self.app, deposits)
            except StoreUnavailable as error:
                if self.app.conf.result_backend_always_retry:
                    raise
                pause = backoff.pause()
                log.tell(len(deposits), error, pause)
                time.sleep(pause)
            else:
                log.end()
                return

    def _flush_one(self, report: Report) -> Report:
        if report.stored is None:
            return report
        try:
            try:
                self._store([report.stored])
            except SerializationError as error:
                logger.error("A result cannot be encoded by the result serializer: %s", error)
                self._store([self._undone(report.stored, error)])
                return report._replace(kind=OutcomeKind.FAILURE, detail=repr(error), stored=None)
        except Exception as error:  # noqa: BLE001  # of this one report, which is told
            return self._failed([report], error)[0]
        return report._replace(stored=None)

    def _undone(self, stored: Deposit, error: SerializationError) -> Deposit:
        """The same, failed: what cannot be encoded is no result."""
        return Deposit(
            [self._entry(result.task_id, states.FAILURE, error) for result in stored.results],
            [part._replace(state=states.FAILURE, result=self.app.results.written(error)) for part in stored.parts],
            [(store, self._entry(result.task_id, states.FAILURE, error)) for store, result in stored.elsewhere],
        )

    def _failed(self, reports: list[Report], error: BaseException) -> list[Report]:
        """The store stayed out of reach: those that wanted it are told of as not stored."""
        logger.critical(
            "Results of %d tasks could not be stored: %s", sum(r.stored is not None for r in reports), error
        )
        return [
            report
            if report.stored is None
            else report._replace(kind=OutcomeKind.STORE_FAILED, detail=repr(error), stored=None)
            for report in reports
        ]

    def close(self, exitcode: int = 0) -> None:
        if self._is_in_child:
            signals.worker_process_shutdown.send(sender=None, pid=os.getpid(), exitcode=exitcode)
        close_loop()
