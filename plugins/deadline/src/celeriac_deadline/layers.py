"""The three middlewares: stamp what leaves, drop what is late, give the rest its budget."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from celeriac.contracts import Delivery, OutcomeKind, OutgoingMessage
from celeriac.plugin import TaskOption
from celeriac_deadline.budget import DeadlineExceeded, current, earlier, until
from celeriac_deadline.header import HEADER, moment, received

logger = logging.getLogger("celeriac_deadline")

#: The option of ``@app.task`` and ``apply_async``.
OPTION: Final = TaskOption(
    "deadline",
    "seconds",
    None,
    "Seconds from the call, or from its ETA, in which the task and everything that it calls must have started.",
)


def stamp(app: Any) -> Callable[[OutgoingMessage, Callable[[Any], Any]], Any]:
    """The publish middleware: writes the header, the earliest of the call's own deadline and the caller's."""

    def layer(message: OutgoingMessage, call_next: Callable[[Any], Any]) -> Any:
        deadline = earlier(_own(app, message), current(_of_running_task(app)))
        if deadline is None:
            message.headers.pop(HEADER, None)
        else:
            message.headers[HEADER] = round(deadline, 3)
        return call_next(message)

    return layer


def _own(app: Any, message: OutgoingMessage) -> float | None:
    """The deadline that the call itself asks for: by header, by option, by its task, by the setting."""
    # An option that the kernel does not know arrives as a property; this one is not for the wire.
    seconds = message.properties.pop(OPTION.name, None)
    if HEADER in message.headers:
        return moment(message.headers[HEADER])
    if seconds is None:
        seconds = getattr(app.tasks.get(message.headers.get("task")), OPTION.name, None)
    if seconds is None:
        seconds = app.conf["deadline_default"]
    if seconds is None:
        return None
    start = time.time() if message.eta is None else max(message.eta, time.time())
    return start + float(OPTION.convert(seconds))


def _of_running_task(app: Any) -> float | None:
    """The deadline of the task that runs here, also where its code has ended and its callbacks are being sent."""
    task = app.current_task
    return None if task is None else received(task.request.headers)


def drop_if_late(delivery: Delivery, call_next: Callable[[Any], Any]) -> Any:
    """The consume middleware: a message that came too late is not run."""
    deadline = received(delivery.headers)
    if deadline is not None and (late := time.time() - deadline) >= 0:
        headers = delivery.headers
        logger.info(
            "Task %s[%s] is dropped: its deadline passed %.3f s ago", headers.get("task"), headers.get("id"), late
        )
        return OutcomeKind.EXPIRED
    return call_next(delivery)


def run_in_budget(request: Any, call_next: Callable[[Any], Any]) -> Any:
    """The execute middleware: what the task's code, and what it calls, may know of its deadline.

    Raises `DeadlineExceeded` where the deadline passed while the message waited for its turn in the child.
    """
    if _has_none(request):
        return call_next(request)
    with until(_in_time(request)):
        return call_next(request)


async def run_in_budget_async(request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    """The same around a coroutine."""
    if _has_none(request):
        return await call_next(request)
    with until(_in_time(request)):
        return await call_next(request)


def _has_none(request: Any) -> bool:
    """Whether no deadline is in sight, as for nearly all tasks: nothing is around one that a message has brought."""
    return not request.is_eager and HEADER not in (request.headers or ())


def _in_time(request: Any) -> float | None:
    """The deadline of the task that is about to run.  Raises `DeadlineExceeded` where it has passed."""
    deadline = received(request.headers)
    if request.is_eager:  # no message has carried the deadline of the caller here
        deadline = earlier(deadline, current(None))
    if deadline is not None and (late := time.time() - deadline) >= 0:
        raise DeadlineExceeded(f"the deadline passed {late:.3f} s before the task could start")
    return deadline
