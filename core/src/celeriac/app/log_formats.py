"""How a line of the log looks: plain, coloured, with the task that writes it, or as JSON."""

from __future__ import annotations

import json
import logging
import re
from copy import copy
from datetime import UTC, datetime
from typing import Any, Final

from celeriac.app.current import get_current_request
from celeriac.app.loggers import REDIRECTED

#: The value of ``worker_log_format``, and of ``--logformat``, that stands for a JSON object per line.
JSON: Final = "json"

_RESET: Final = "\x1b[0m"
_COLOURS: Final = {
    logging.DEBUG: "\x1b[34m",
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[35m",
}
#: What would begin a line of its own, or tell a terminal something; the id and origin of a message may hold it.
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
#: What every record has, so that what it has besides is what somebody gave as ``extra``.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "task_id",
    "task_name",
    "taskName",
}


class TaskFilter(logging.Filter):
    """Puts ``task_id`` and ``task_name`` on each record that a task writes; refuses none.

    For handlers of a user's own; those that Celeriac sets up have it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = get_current_request()
        if request is not None:
            record.__dict__.setdefault("task_id", request.id)
            record.__dict__.setdefault("task_name", request.task)
        return True


class ColorFormatter(logging.Formatter):
    """Colours lines by their level, if `use_color`.

    Control characters are escaped in the lines that Celeriac itself writes, and in the task's id and name in all.
    """

    def __init__(self, fmt: str | None = None, datefmt: str | None = None, use_color: bool = False) -> None:
        super().__init__(fmt, datefmt)
        self.use_color = use_color

    def formatMessage(self, record: logging.LogRecord) -> str:
        shown = copy(record)
        source = str(record.name)
        if source.startswith("celeriac.") and source != REDIRECTED and "\n" not in str(record.msg):
            shown.message = _escaped(record.message)
        for name in ("task_id", "task_name"):
            if isinstance(value := vars(shown).get(name), str):
                setattr(shown, name, _escaped(value))
        return super().formatMessage(shown)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        colour = _COLOURS.get(record.levelno) if self.use_color else None
        return text if colour is None else f"{colour}{text}{_RESET}"


class TaskFormatter(ColorFormatter):
    """Knows ``%(task_name)s`` and ``%(task_id)s``; outside of tasks they are ``???``."""

    def format(self, record: logging.LogRecord) -> str:
        request = get_current_request()
        record.__dict__.setdefault("task_id", request.id if request else "???")
        record.__dict__.setdefault("task_name", request.task if request else "???")
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """A JSON object per line.

    It has timestamp (ISO 8601, UTC), level, logger, message, process, process_name, thread_name; in a task task_id and
    task_name; of an error exception, its traceback as text; and what was given as ``extra``.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            "process_name": record.processName,
            "thread_name": record.threadName,
        }
        request = get_current_request()
        if request is not None:
            fields.update(task_id=request.id, task_name=request.task)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        return json.dumps({**extra, **fields}, default=repr, ensure_ascii=False)


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)
