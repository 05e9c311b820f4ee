"""Commands about tasks: which there are, which are not to run, and within which limits."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from celeriac.app.masking import masked
from celeriac.worker.limiter import rate_of
from celeriac.worker.panel.registry import PanelState, control_command, inspect_command
from celeriac.worker.panel.requests import Requests
from celeriac.worker.panel.signal_numbers import signal_number

logger = logging.getLogger("celeriac.worker.control")

#: Attributes of tasks that are shown where nobody asks for others.
_SHOWN = ("exchange", "routing_key", "rate_limit")

# -- which there are --------------------------------------------------------------------------------------------------


@inspect_command(alias="dump_active")
def active(state: PanelState, **_: Any) -> list[dict[str, Any]]:
    """List of tasks that run now."""
    requests = Requests(state.consumer)
    return [requests.described(job, run) for job, run in requests.active]


@inspect_command(alias="dump_reserved")
def reserved(state: PanelState, **_: Any) -> list[dict[str, Any]]:
    """List of tasks that were taken and do not run yet, without those that wait for their time."""
    requests = Requests(state.consumer)
    return [requests.described(job) for job in requests.reserved]


@inspect_command(alias="dump_schedule")
def scheduled(state: PanelState, **_: Any) -> list[dict[str, Any]]:
    """List of tasks that wait for their time."""
    requests = Requests(state.consumer)
    return [
        {"eta": job.job.headers.get("eta"), "priority": 6, "request": requests.described(job)}
        for job in requests.scheduled
    ]


@inspect_command(args=[("ids", str)], variadic="ids", signature="[id1 [id2 [... [idN]]]]")
def query_task(state: PanelState, ids: Any, **_: Any) -> dict[str, list[Any]]:
    """What becomes of tasks, by id."""
    return Requests(state.consumer).found(ids_of(ids))


@inspect_command(alias="dump_revoked")
def revoked(state: PanelState, **_: Any) -> list[str]:
    """List of the ids of revoked tasks."""
    return list(state.consumer.state.revocations.ids)


@inspect_command(
    alias="dump_tasks",
    args=[("taskinfoitems", str)],
    variadic="taskinfoitems",
    signature="[attr1 [attr2 [... [attrN]]]]",
)
def registered(state: PanelState, taskinfoitems: Any = None, builtins: bool = False, **_: Any) -> list[str]:
    """List of the tasks that the worker knows, with attributes of theirs."""
    wanted = [name for name in taskinfoitems or _SHOWN if isinstance(name, str) and not name.startswith("_")]
    tasks = state.app.tasks
    return [_line(tasks[name], wanted) for name in sorted(tasks) if builtins or not name.startswith("celery.")]


def _line(task: Any, attributes: Iterable[str]) -> str:
    values = {name: getattr(task, name, None) for name in attributes}
    told = " ".join(f"{name}={masked(str(value))}" for name, value in values.items() if value is not None)
    return f"{task.name} [{told}]" if told else str(task.name)


# -- which are not to run ---------------------------------------------------------------------------------------------


@control_command(variadic="task_id", signature="[id1 [id2 [... [idN]]]]", args=[("task_id", str)])
def revoke(state: PanelState, task_id: Any, terminate: bool = False, signal: Any = None, **_: Any) -> dict[str, str]:
    """Have tasks not run, by their ids."""
    ids = ids_of(task_id)
    signum = signal_number(signal) if terminate else None
    ended = state.consumer.revoking.by_id(ids, signum)
    logger.info("Revoked %s", ", ".join(ids))
    if terminate:
        return {"ok": f"terminate: {', '.join(ended) or 'tasks unknown'}"}
    return {"ok": f"tasks {', '.join(ids)} flagged as revoked"}


@control_command(
    variadic="headers", signature="[key1=value1 [key2=value2 [... [keyN=valueN]]]]", args=[("headers", str)]
)
def revoke_by_stamped_headers(
    state: PanelState, headers: Any, terminate: bool = False, signal: Any = None, **_: Any
) -> dict[str, str]:
    """Have tasks not run, by the stamps that they carry."""
    stamps = _stamps(headers)
    signum = signal_number(signal) if terminate else None
    ended = state.consumer.revoking.by_stamps(stamps, signum)
    logger.info("Revoked tasks with the stamps %r", stamps)
    how = f"{', '.join(ended)} terminated" if ended else "but not terminated"
    return {"ok": f"headers {stamps} flagged as revoked, {how}"}


@control_command(
    variadic="task_id", args=[("signal", str), ("task_id", str)], signature="<signal> [id1 [id2 [... [idN]]]]"
)
def terminate(state: PanelState, signal: Any, task_id: Any, **_: Any) -> dict[str, str]:
    """Revoke tasks by their ids, and end those that run by a signal."""
    return revoke(state, task_id, terminate=True, signal=signal)


def ids_of(given: Any) -> list[str]:
    """Ids as they come: one, or a list, or a list in a list.  Raises ValueError for what is no text."""
    if isinstance(given, str):
        return [given]
    parts = given if isinstance(given, (list, tuple)) else [given]
    ids = [one for part in parts for one in (part if isinstance(part, (list, tuple)) else [part])]
    if not all(isinstance(one, str) for one in ids):
        raise ValueError("the ids of tasks are text")
    return list(dict.fromkeys(ids))


def _stamps(headers: Any) -> dict[str, list[str]]:
    """Name to values, from a map, or from ``name=value`` as the command line has it.  Raises ValueError."""
    stamps: dict[str, list[str]] = {}
    if isinstance(headers, Mapping):
        for name, values in headers.items():
            stamps[str(name)] = [str(value) for value in (values if isinstance(values, list) else [values])]
        return stamps
    for text in ids_of(headers):
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is no stamp: write it as name=value")
        stamps.setdefault(name, []).append(value)
    return stamps


# -- within which limits ----------------------------------------------------------------------------------------------


@control_command(
    args=[("task_name", str), ("rate_limit", str)], signature="<task_name> <rate_limit (e.g., 5/s | 5/m | 5/h)>"
)
def rate_limit(state: PanelState, task_name: str, rate_limit: Any, **_: Any) -> dict[str, str]:
    """Change how often the worker runs a task; 0 lifts the limit."""
    try:
        rate = rate_of(rate_limit)
    except ValueError as error:
        return {"error": f"Invalid rate limit string: {error}"}
    task = state.app.tasks.get(task_name)
    if task is None:
        return {"error": "unknown task"}
    task.rate_limit = rate_limit if rate else None
    if state.app.conf.worker_disable_rate_limits:
        return {"error": "rate limits are disabled on this worker, by the setting worker_disable_rate_limits"}
    state.consumer.stock.limiter.set(task_name, rate)
    if not rate:
        logger.info("Rate limits disabled for tasks of type %s", task_name)
        return {"ok": "rate limit disabled successfully"}
    logger.info("New rate limit for tasks of type %s: %s", task_name, rate_limit)
    return {"ok": "new rate limit set successfully"}


@control_command(
    args=[("task_name", str), ("soft", float), ("hard", float)], signature="<task_name> <soft_secs> [hard_secs]"
)
def time_limit(state: PanelState, task_name: str, hard: Any = None, soft: Any = None, **_: Any) -> dict[str, str]:
    """Change the time limits of a task, for calls that state none of their own."""
    task = state.app.tasks.get(task_name)
    if task is None:
        return {"error": "unknown task"}
    for seconds in (hard, soft):
        if seconds is not None and not (isinstance(seconds, (int, float)) and seconds >= 0):
            raise ValueError(f"{seconds!r} is no time limit: it is a number of seconds")
    task.soft_time_limit, task.time_limit = soft or None, hard or None
    logger.info("New time limits for tasks of type %s: soft=%s hard=%s", task_name, soft, hard)
    return {"ok": "time limits set successfully"}
