"""The backend of ``django.tasks`` (Django 6.0, or the package django-tasks before): tasks of Django, run by workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from traceback import format_exception
from typing import Any, Final
from uuid import uuid4

from django.core.checks import Error  # type: ignore[import-untyped]  # Django has no annotations
from django.utils.module_loading import import_string  # type: ignore[import-untyped]  # as above

from celeriac import current_app, exceptions
from celeriac_django.names import RUN_TASK

try:
    from django.tasks import signals  # type: ignore[import-untyped]  # as above
    from django.tasks.backends.base import BaseTaskBackend  # type: ignore[import-untyped]  # as above
    from django.tasks.base import (  # type: ignore[import-untyped]  # as above
        TASK_MAX_PRIORITY,
        TASK_MIN_PRIORITY,
        Task,
        TaskContext,
        TaskError,
        TaskResult,
        TaskResultStatus,
    )
    from django.tasks.exceptions import TaskResultDoesNotExist  # type: ignore[import-untyped]  # as above
except ImportError:
    from django_tasks import signals  # before Django 6.0
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import (
        TASK_MAX_PRIORITY,
        TASK_MIN_PRIORITY,
        Task,
        TaskContext,
        TaskError,
        TaskResult,
        TaskResultStatus,
    )
    from django_tasks.exceptions import TaskResultDoesNotExist

#: RabbitMQ's; of 0, which is the highest of Redis, the lowest is 9.
_MOST_PRIORITY: Final = 255
_LOWEST: Final = 9

_STATUSES: Final = {
    "PENDING": TaskResultStatus.READY,
    "RECEIVED": TaskResultStatus.READY,
    "RETRY": TaskResultStatus.READY,
    "STARTED": TaskResultStatus.RUNNING,
    "SUCCESS": TaskResultStatus.SUCCESSFUL,
    "FAILURE": TaskResultStatus.FAILED,
    "REVOKED": TaskResultStatus.FAILED,
}
#: States whose result says where and when the task ran.
_TOLD: Final = frozenset({"STARTED", "SUCCESS"})


class CeleriacBackend(BaseTaskBackend):  # type: ignore[misc]  # as above
    """``TASKS = {"default": {"BACKEND": "celeriac_django.task_backend.CeleriacBackend"}}``.

    The result store of the project's app keeps results, and beside each what was called.
    ``OPTIONS = {"highest_priority": 9}``, or 0, says which priority of the broker is Django's 100; without it
    priorities are refused, as brokers count in different directions.  With 0 the lowest is 9.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True

    @property
    def supports_priority(self) -> bool:
        """Whether the broker's priorities are known."""
        return "highest_priority" in self.options

    def check(self, **kwargs: Any) -> list[Any]:
        """What ``manage.py check``, and a worker that starts, say of ``OPTIONS``."""
        errors = [
            Error(
                f"TASKS[{self.alias!r}] has the option {name!r}, which {type(self).__name__} does not know",
                id="celeriac.E001",
            )
            for name in sorted(set(self.options) - {"highest_priority"})
        ]
        highest = self.options.get("highest_priority", 0)
        if not isinstance(highest, int) or not 0 <= highest <= _MOST_PRIORITY:
            said = f"TASKS[{self.alias!r}]: highest_priority is a number from 0 to {_MOST_PRIORITY}, not {highest!r}"
            errors.append(Error(said, id="celeriac.E002"))
        return errors

    def enqueue(self, task: Task, args: Any, kwargs: dict[str, Any]) -> TaskResult:
        """Send the task, or run it here where the app is eager.

        Raises as `send_task`, when the broker or the store is out of reach.
        """
        self.validate_task(task)
        app = current_app
        result = _result(task, str(uuid4()), self.alias, list(args), dict(kwargs), enqueued_at=datetime.now(UTC))
        call = {
            "path": task.module_path,
            "args": result.args,
            "kwargs": result.kwargs,
            "queue_name": task.queue_name,
            "priority": task.priority,
            "run_after": task.run_after and task.run_after.isoformat(),
            "enqueued_at": result.enqueued_at.isoformat(),
        }
        # First what was called, so that whoever has the id finds it.
        app.results.store_state(_call_of(result.id), "SUCCESS", call)
        what = [task.module_path, self.alias, result.args, result.kwargs]
        if app.conf.task_always_eager:
            signals.task_enqueued.send(type(self), task_result=result)
            _ = app.tasks[RUN_TASK].apply_async(what, task_id=result.id)
            return self.get_result(result.id)
        options = self._options(app, task)
        _ = app.send_task(RUN_TASK, what, task_id=result.id, eta=task.run_after, shadow=task.module_path, **options)
        signals.task_enqueued.send(type(self), task_result=result)
        return result

    def _options(self, app: Any, task: Task) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if task.queue_name != "default":
            options["queue"] = task.queue_name
        if self.supports_priority:  # also where it is 0, which is the middle, and not what brokers take for none
            share = (task.priority - TASK_MIN_PRIORITY) / (TASK_MAX_PRIORITY - TASK_MIN_PRIORITY)
            highest = self.options["highest_priority"]
            options["priority"] = round(highest * share) if highest else round(_LOWEST * (1 - share))
        return options

    def get_result(self, result_id: str) -> TaskResult:
        """The result as it is now.  Raises `TaskResultDoesNotExist`, also for one that is no longer kept."""
        found = current_app.results.fetch([result_id, _call_of(result_id), _failed_run_of(result_id)])
        if (kept := found.get(_call_of(result_id))) is None:
            raise TaskResultDoesNotExist(result_id)
        call, meta = kept["result"], found.get(result_id) or {"status": "PENDING"}
        task = replace(
            import_string(call["path"]),
            priority=call["priority"],
            queue_name=call["queue_name"],
            backend=self.alias,
            run_after=_moment(call["run_after"]),
        )
        result = _result(task, result_id, self.alias, call["args"], call["kwargs"], _moment(call["enqueued_at"]))
        run = meta["result"] if meta["status"] in _TOLD else found.get(_failed_run_of(result_id), {}).get("result")
        return _ended(result, meta, run if isinstance(run, dict) else {})


@contextmanager
def running(
    path: str, backend: str, request: Any, args: list[Any], kwargs: dict[str, Any], begun: datetime
) -> Iterator[Callable[[], Any]]:
    """What runs the task, in a worker; the store and Django's signals are told of its beginning and its end."""
    task = import_string(path)
    result = _result(task, request.id, backend, args, kwargs)
    _set(result, status=TaskResultStatus.RUNNING, started_at=begun, last_attempted_at=begun)
    result.worker_ids.extend(workers_of(request))
    current_app.results.store_state(request.id, "STARTED", _run(result))
    signals.task_started.send(CeleriacBackend, task_result=result)
    context = [TaskContext(task_result=result)] if task.takes_context else []

    def call() -> Any:
        value = task.call(*context, *result.args, **result.kwargs)
        # Before anybody is told of a success: what cannot be stored is none.
        current_app.serializers.encode(value, current_app.conf.result_serializer)
        return value

    try:
        yield call
    except BaseException as error:
        failed = TaskError(exception_class_path=_path_of(error), traceback="".join(format_exception(error)))
        result.errors.append(failed)
        _set(result, status=TaskResultStatus.FAILED, finished_at=datetime.now(UTC))
        # Of a failure the store has the error alone.
        current_app.results.store_state(_failed_run_of(request.id), "SUCCESS", _run(result))
        signals.task_finished.send(CeleriacBackend, task_result=result)
        raise
    _set(result, status=TaskResultStatus.SUCCESSFUL, finished_at=datetime.now(UTC))
    signals.task_finished.send(CeleriacBackend, task_result=result)


def workers_of(request: Any) -> list[str]:
    """The workers of all attempts up to this one, as far as it knows: it is told of itself alone."""
    return [request.hostname or ""] * (request.retries + 1)


def _run(result: TaskResult) -> dict[str, Any]:
    """What the store is told of a run."""
    return {"started_at": result.started_at.isoformat(), "workers": list(result.worker_ids)}


def _result(
    task: Task, task_id: str, backend: str, args: list[Any], kwargs: dict[str, Any], enqueued_at: datetime | None = None
) -> TaskResult:
    """A result of a task that waits."""
    return TaskResult(
        task=task,
        id=task_id,
        status=TaskResultStatus.READY,
        enqueued_at=enqueued_at,
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        args=args,
        kwargs=kwargs,
        backend=backend,
        errors=[],
        worker_ids=[],
    )


def _ended(result: TaskResult, meta: dict[str, Any], run: dict[str, Any]) -> TaskResult:
    """The result with what the store knows of it; `run` is what the worker has told of where and when it ran."""
    status, value = _STATUSES.get(meta["status"], TaskResultStatus.RUNNING), meta.get("result")
    _set(result, status=status)
    if "started_at" in run and status != TaskResultStatus.READY:
        begun = _moment(run["started_at"])
        _set(result, started_at=begun, last_attempted_at=begun)
        result.worker_ids.extend(run["workers"])
    if status in {TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED}:
        _set(result, finished_at=_moment(meta.get("date_done")))
    if status == TaskResultStatus.SUCCESSFUL and isinstance(value, dict):
        _set(result, _return_value=value["value"])
    if status == TaskResultStatus.FAILED:
        result.errors.append(_error(value, meta.get("traceback")))
    return result


def _error(value: Any, traceback: str | None) -> TaskError:
    if not isinstance(value, dict) or "exc_type" not in value:
        return TaskError(exception_class_path="builtins.Exception", traceback=traceback or str(value))
    module = value.get("exc_module") or "builtins"
    if module == "celery.exceptions" and hasattr(exceptions, str(value["exc_type"])):
        module = exceptions.__name__  # as which ours are stored, for clients of Celery; Django imports the path
    path = f"{module}.{value['exc_type']}"
    return TaskError(exception_class_path=path, traceback=traceback or path)


def _path_of(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _set(result: TaskResult, **values: Any) -> None:
    """Change a result, which is frozen for all others."""
    for name, value in values.items():
        object.__setattr__(result, name, value)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _failed_run_of(task_id: str) -> str:
    """The id under which the store keeps where and when a task ran that failed."""
    return f"{task_id}.run"


def _call_of(task_id: str) -> str:
    """The id under which the store keeps what was called."""
    return f"{task_id}.call"
