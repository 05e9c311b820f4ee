"""The worker's logging: one handler for all, unless somebody else sets it up."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from celeriac import signals
from celeriac.app.current import get_current_request
from celeriac.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from celeriac.app.base import Celery


class TaskFormatter(logging.Formatter):
    """Knows ``%(task_name)s`` and ``%(task_id)s``."""

    def format(self, record: logging.LogRecord) -> str:
        request = get_current_request()
        record.__dict__.setdefault("task_id", request.id if request else "???")
        record.__dict__.setdefault("task_name", request.task if request else "???")
        return super().format(record)


class LogFile(logging.FileHandler):
    """The file of ``--logfile``."""


def level_of(given: Any) -> int:
    """A logging level from a name or number.  Raises `ImproperlyConfigured` for a name that there is not."""
    if given is None:
        return logging.WARNING
    if isinstance(given, int):
        return given
    if str(given).isdigit():
        return int(given)
    found = logging.getLevelName(str(given).upper())
    if not isinstance(found, int):
        raise ImproperlyConfigured(f"no log level is called {given!r}; there are DEBUG, INFO, WARNING, ERROR, CRITICAL")
    return found


def set_up_logging(app: Celery, level: int, logfile: str | None = None) -> None:
    """Set up logging, unless a receiver of ``setup_logging`` does it; the root logger where it is to be hijacked."""
    conf = app.conf
    shown = {"loglevel": level, "logfile": logfile, "format": conf.worker_log_format, "colorize": conf.worker_log_color}
    if signals.setup_logging.send(sender=None, **shown):
        return
    root, task_logger = logging.getLogger(), logging.getLogger("celeriac.task")
    if conf.worker_hijack_root_logger:
        _remove_handlers(root)
    _remove_handlers(task_logger)
    handler = LogFile(logfile, encoding="utf-8") if logfile else logging.StreamHandler(sys.stderr)
    if root.handlers:
        # Somebody writes logs already, and they shall not be written twice.
        logging.getLogger("celeriac").setLevel(level)
    else:
        handler.setFormatter(TaskFormatter(conf.worker_log_format, conf.worker_log_datefmt))
        root.addHandler(handler)
        root.setLevel(level)
    signals.after_setup_logger.send(sender=None, logger=root, **shown)
    task_handler = logging.StreamHandler(handler.stream)
    task_handler.setFormatter(TaskFormatter(conf.worker_task_log_format, conf.worker_task_log_datefmt))
    task_logger.addHandler(task_handler)
    task_logger.setLevel(level)
    task_logger.propagate = False
    signals.after_setup_task_logger.send(sender=None, logger=task_logger, **shown)


def _remove_handlers(logger: logging.Logger) -> None:
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        if isinstance(handler, LogFile):  # that of an earlier worker; all others are somebody else's
            handler.close()
