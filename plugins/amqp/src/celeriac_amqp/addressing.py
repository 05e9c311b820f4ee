"""Where the result of a task goes: to the thread that sent it, or to whoever asked for the task that sends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def address(app: Any) -> Callable[[Any, Callable[[Any], Any]], Any]:
    """The layer of `app` around each message."""

    def layer(message: Any, call_next: Callable[[Any], Any]) -> Any:
        own = app.thread_oid
        if message.properties.get("reply_to") == own:
            task = app.current_worker_task
            if task is not None:
                # Nobody reads in a worker; and the next step of a chain belongs to whoever waits for the whole.
                message.properties["reply_to"] = task.request.reply_to or own
            elif not message.headers.get("ignore_result"):
                app.backend.take_replies(own)
        return call_next(message)

    return layer
