"""What ``task.retry`` does, and the options of ``autoretry_for``."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import iscoroutinefunction
from traceback import format_exception
from typing import Any, Final, NoReturn

from celeriac import states
from celeriac.exceptions import BackendError, Ignore, Reject, Retry

logger = logging.getLogger("celeriac.app.trace")

#: Attributes of a task that say when it is tried again by itself, and how.
AUTORETRY: Final = frozenset(
    {"autoretry_for", "dont_autoretry_for", "retry_kwargs", "retry_backoff", "retry_backoff_max", "retry_jitter"}
)


def retry(
    task: Any,
    args: Sequence[Any] | None,
    kwargs: Mapping[str, Any] | None,
    exc: BaseException | None,
    throw: bool,
    eta: Any,
    countdown: float | None,
    max_retries: int | None,
    options: dict[str, Any],
) -> Retry:
    """See `Task.retry`."""
    request = task.request
    retries = request.retries + 1
    if max_retries is not None:
        request.max_retries = max_retries  # of this run, also where autoretry catches what is raised here
    limit = task.max_retries if request.max_retries is None else request.max_retries
    if request.called_directly:  # not a task's run but a plain call: there is no message to send again
        _raise(exc or sys.exc_info()[1] or Retry("Task can be retried", None))
    if eta is None and countdown is None:
        countdown = task.default_retry_delay
    signature = task.signature_from_request(
        request, args, kwargs, countdown=countdown, eta=eta, **{**options, "retries": retries}
    )
    if limit is not None and retries > limit:
        if exc is not None:
            _raise(exc)
        raise task.MaxRetriesExceededError(
            f"Can't retry {task.name}[{request.id}] args:{request.args} kwargs:{request.kwargs}",
            task_args=request.args,
            task_kwargs=request.kwargs,
        )
    answer = Retry(exc=exc, when=eta if eta is not None else countdown, is_eager=request.is_eager, sig=signature)
    if not request.is_eager:
        _store_state(task, request, answer)
        try:
            signature.apply_async()
        except task.app.connection_errors as error:
            # A message that is not settled yet is all that is left of the task: it goes back, and is tried again.
            raise Reject(error, requeue=bool(task.acks_late)) from error
        except Exception as error:
            raise Reject(error, requeue=False) from error
    if throw:
        raise answer
    return answer


def _store_state(task: Any, request: Any, answer: Retry) -> None:
    """Store that the task is to be tried again, before its next message leaves.

    Another process may run that to its end at once; stored afterwards, this state would replace that of the end.
    """
    results = task.app.results.of_task(task)
    if request.ignore_result or results.backend.disabled:
        return
    told = answer.exc if answer.exc is not None else answer
    text = "".join(format_exception(sys.exc_info()[1] or told))
    try:
        results.store_state(request.id, states.RETRY, told, traceback=text, request=request)
    except BackendError as error:  # it tells how far the task is; the next try matters more
        logger.error("State of task %s[%s] not stored: %s", task.name, request.id, error)  # it says all


def _raise(error: BaseException) -> NoReturn:
    """Raise `error`, because of the one that is being handled where that is another."""
    handled = sys.exc_info()[1]
    if handled is None or handled is error:
        raise error
    raise error from handled


def backoff(factor: float, retries: int, maximum: float, jitter: bool) -> float:
    """Seconds until the next try: `factor` doubled with each retry, at most `maximum`; any part of that with jitter."""
    delay = min(maximum, factor * 2 ** min(retries, 64))
    return max(0, random.uniform(0, delay) if jitter else delay)  # noqa: S311  # spreads load, hides nothing


def retry_by_itself(task: Any, anew: bool = False) -> None:
    """Let the task be retried for the exceptions that its ``autoretry_for`` names; once, or `anew` as it now says."""
    if "_orig_run" in vars(task):
        if not anew:
            return
    elif getattr(task, "autoretry_for", None):
        task._orig_run = task.run  # Celery's name for it: tests of users call it
    else:
        return
    task.run = with_autoretry(task, task._orig_run)


def with_autoretry(task: Any, run: Callable[..., Any]) -> Callable[..., Any]:
    """`run`, retried for the exceptions that the task's ``autoretry_for`` names."""
    wanted = classes(getattr(task, "autoretry_for", ()))
    passing: tuple[type[BaseException], ...] = (
        Ignore,
        Retry,
        Reject,
        *classes(getattr(task, "dont_autoretry_for", ())),
    )
    if not wanted:
        return run
    retry_kwargs: dict[str, Any] = dict(getattr(task, "retry_kwargs", {}) or {})
    own_limit = retry_kwargs.pop("max_retries", None)
    factor = getattr(task, "retry_backoff", False)
    maximum = float(getattr(task, "retry_backoff_max", 600))
    jitter = bool(getattr(task, "retry_jitter", True))

    def again(error: BaseException) -> Retry:
        options = dict(retry_kwargs)
        if task.request.max_retries is None:
            options["max_retries"] = own_limit
        if factor:
            options["countdown"] = backoff(float(factor), task.request.retries, maximum, jitter)
        answer: Retry = task.retry(exc=error, **options)
        return answer

    if iscoroutinefunction(run):

        @wraps(run)
        async def awaiting(*args: Any, **kwargs: Any) -> Any:
            try:
                return await run(*args, **kwargs)
            except passing:
                raise
            except wanted as error:
                raise again(error) from error

        return awaiting

    @wraps(run)
    def retrying(*args: Any, **kwargs: Any) -> Any:
        try:
            return run(*args, **kwargs)
        except passing:
            raise
        except wanted as error:
            raise again(error) from error

    return retrying


def classes(given: Any) -> tuple[type[BaseException], ...]:
    """Exceptions that an option names: one, several, or none."""
    return (given,) if isinstance(given, type) else tuple(given or ())
