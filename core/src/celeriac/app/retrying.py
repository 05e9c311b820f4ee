"""What ``task.retry`` does, and the options of ``autoretry_for``."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from celeriac.exceptions import Ignore, Reject, Retry


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
    limit = task.max_retries if max_retries is None else max_retries
    if request.called_directly:  # not a task's run but a plain call: there is no message to send again
        raise exc or sys.exc_info()[1] or Retry("Task can be retried", None)
    if eta is None and countdown is None:
        countdown = task.default_retry_delay
    signature = task.signature_from_request(
        request, args, kwargs, countdown=countdown, eta=eta, **{**options, "retries": retries}
    )
    if limit is not None and retries > limit:
        cause = exc or sys.exc_info()[1]
        if cause is not None:
            raise cause
        raise task.MaxRetriesExceededError(
            f"Can't retry {task.name}[{request.id}] args:{request.args} kwargs:{request.kwargs}",
            task_args=request.args,
            task_kwargs=request.kwargs,
        )
    answer = Retry(exc=exc, when=eta if eta is not None else countdown, is_eager=request.is_eager, sig=signature)
    if not request.is_eager:
        try:
            signature.apply_async()
        except Exception as error:
            raise Reject(error, requeue=False) from error
    if throw:
        raise answer
    return answer


def backoff(factor: float, retries: int, maximum: float, jitter: bool) -> float:
    """Seconds until the next try: `factor` doubled with each retry, at most `maximum`; any part of that with jitter."""
    delay = min(maximum, factor * 2 ** min(retries, 64))
    return max(0, random.uniform(0, delay) if jitter else delay)  # noqa: S311  # spreads load, hides nothing


def with_autoretry(task: Any, run: Callable[..., Any]) -> Callable[..., Any]:
    """`run`, retried for the exceptions that the task's ``autoretry_for`` names."""
    wanted = tuple(getattr(task, "autoretry_for", ()) or ())
    never = tuple(getattr(task, "dont_autoretry_for", ()) or ())
    if not wanted:
        return run
    retry_kwargs: dict[str, Any] = dict(getattr(task, "retry_kwargs", {}) or {})
    factor = getattr(task, "retry_backoff", False)
    maximum = float(getattr(task, "retry_backoff_max", 600))
    jitter = bool(getattr(task, "retry_jitter", True))

    @wraps(run)
    def retrying(*args: Any, **kwargs: Any) -> Any:
        try:
            return run(*args, **kwargs)
        except (Ignore, Retry, Reject, *never):
            raise
        except wanted as error:
            options = dict(retry_kwargs)
            if factor:
                options["countdown"] = backoff(float(factor), task.request.retries, maximum, jitter)
            task.retry(exc=error, **options)
            raise

    return retrying
