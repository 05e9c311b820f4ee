"""The setup of logging: one handler for all, unless somebody else sets it up."""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import WatchedFileHandler
from typing import TYPE_CHECKING, Any, ClassVar

from celeriac import signals
from celeriac.app.log_formats import JSON, ColorFormatter, JsonFormatter, TaskFilter, TaskFormatter
from celeriac.app.log_streams import LoggingProxy
from celeriac.app.loggers import BASE, REDIRECTED, TASKS, get_logger, level_of
from celeriac.exceptions import ImproperlyConfigured
from celeriac.protocol.origin import expanded

if TYPE_CHECKING:
    from celeriac.app.base import Celery

__all__ = ["ColorFormatter", "JsonFormatter", "Logging", "TaskFilter", "TaskFormatter"]


class LogFile(WatchedFileHandler):
    """The file of ``--logfile``; opened again when somebody has moved it away, as logrotate does."""


class LogStream(logging.StreamHandler[Any]):
    """The log on a terminal, or wherever stderr goes."""


class Logging:
    """``app.log``."""

    #: The log of this process was set up by this class.
    already_setup: ClassVar[bool] = False

    def __init__(self, app: Celery) -> None:
        self.app = app

    # -- setting up ---------------------------------------------------------------------------------------------------

    def setup(
        self,
        loglevel: Any = None,
        logfile: str | None = None,
        redirect_stdouts: bool = False,
        redirect_level: Any = "WARNING",
        colorize: bool | None = None,
        hostname: str | None = None,
    ) -> bool:
        """Set up everything, as a worker does at its start; True if a receiver of `setup_logging` has done it instead.

        In `logfile` %h, %n and %d stand for the parts of `hostname`, the node's name, and %p for all of it.
        """
        handled = self.setup_logging_subsystem(loglevel, logfile, colorize=colorize, hostname=hostname)
        if redirect_stdouts and not handled:
            self.redirect_stdouts(redirect_level)
        return handled

    def setup_logging_subsystem(
        self,
        loglevel: Any = None,
        logfile: str | None = None,
        format: str | None = None,
        colorize: bool | None = None,
        hostname: str | None = None,
        datefmt: str | None = None,
        **_: Any,
    ) -> bool:
        """Set up the root logger, where it is to be hijacked or nobody has, and that of tasks; again each time.

        True if a receiver of `setup_logging` has done it instead.
        """
        conf = self.app.conf
        level, logfile = level_of(loglevel), _path(logfile, hostname)
        format = format or conf.worker_log_format
        colorize = self.supports_color(colorize, logfile)
        shown = {"loglevel": level, "logfile": logfile, "format": format, "colorize": colorize}
        Logging.already_setup = True
        if signals.setup_logging.send(sender=None, **shown):
            return True
        root = logging.getLogger()
        self._remove_handlers(root, all_of_them=conf.worker_hijack_root_logger)
        self._remove_handlers(get_logger(BASE))
        if root.handlers:
            # Somebody writes logs already, and they shall not be written twice.
            get_logger(BASE).setLevel(level)
        else:
            self.setup_handlers(root, logfile, format, colorize, datefmt=datefmt or conf.worker_log_datefmt)
            root.setLevel(level)
        signals.after_setup_logger.send(sender=None, logger=root, **shown)
        self.setup_task_loggers(level, logfile, colorize=colorize)
        return False

    def setup_task_loggers(
        self,
        loglevel: Any = None,
        logfile: str | None = None,
        format: str | None = None,
        colorize: bool | None = None,
        propagate: bool = False,
        datefmt: str | None = None,
        **_: Any,
    ) -> logging.Logger:
        """Set up the parent of the loggers of tasks, and return it."""
        conf = self.app.conf
        level = level_of(loglevel)
        format = format or (JSON if conf.worker_log_format == JSON else conf.worker_task_log_format)
        colorize = self.supports_color(colorize, logfile)
        logger = logging.getLogger(TASKS)
        self._remove_handlers(logger, all_of_them=True)
        self.setup_handlers(
            logger, logfile, format, colorize, TaskFormatter, datefmt=datefmt or conf.worker_task_log_datefmt
        )
        logger.setLevel(level)
        logger.propagate = propagate
        signals.after_setup_task_logger.send(
            sender=None, logger=logger, loglevel=level, logfile=logfile, format=format, colorize=colorize
        )
        return logger

    def setup_handlers(
        self,
        logger: logging.Logger,
        logfile: Any,
        format: str,
        colorize: bool | None,
        formatter: type[ColorFormatter] = ColorFormatter,
        datefmt: str | None = None,
        **_: Any,
    ) -> logging.Logger:
        """Give `logger` a handler for `logfile` (a path, a stream, or None: stderr), and return it.

        The format ``json`` stands for a JSON object per line.  Raises `ImproperlyConfigured` for a file that cannot be
        written.
        """
        handler: logging.Handler
        if isinstance(logfile, (str, os.PathLike)):
            try:
                handler = LogFile(logfile, encoding="utf-8")
            except OSError as error:
                told = f"the log file {os.fspath(logfile)} cannot be written: {error.strerror}"
                raise ImproperlyConfigured(f"{told}; name another with --logfile") from error
        else:
            handler = LogStream(_unwrapped(sys.stderr if logfile is None else logfile))
        made = JsonFormatter() if format == JSON else formatter(format, datefmt, use_color=bool(colorize))
        handler.setFormatter(made)
        handler.addFilter(TaskFilter())
        logger.addHandler(handler)
        return logger

    def get_default_logger(self, name: str = BASE, **_: Any) -> logging.Logger:
        """Celeriac's own logger, or that of a name."""
        return get_logger(name)

    @staticmethod
    def _remove_handlers(logger: logging.Logger, all_of_them: bool = False) -> None:
        """Remove those of an earlier setup, or all, closing what is ours."""
        for handler in list(logger.handlers):
            ours = isinstance(handler, (LogFile, LogStream))
            if ours or all_of_them:
                logger.removeHandler(handler)
            if ours:
                handler.close()

    # -- colours ------------------------------------------------------------------------------------------------------

    def supports_color(self, colorize: bool | None = None, logfile: Any = None) -> bool:
        """Whether lines are coloured: never in a file; else as `colorize`, or the setting, says, or on a terminal.

        The variable NO_COLOR turns colours off where nobody has turned them on.
        """
        if logfile is not None:
            return False
        wanted = self.app.conf.worker_log_color if colorize is None else colorize
        if wanted is None:
            return not os.environ.get("NO_COLOR") and bool(_unwrapped(sys.stderr).isatty())
        return bool(wanted)

    # -- stdout and stderr --------------------------------------------------------------------------------------------

    def redirect_stdouts(self, loglevel: Any = None, name: str = REDIRECTED) -> None:
        """Log everything that is printed from now on, by the logger `name`, as warnings unless told otherwise."""
        self.redirect_stdouts_to_logger(get_logger(name), loglevel)

    def redirect_stdouts_to_logger(
        self, logger: logging.Logger, loglevel: Any = None, stdout: bool = True, stderr: bool = True
    ) -> LoggingProxy:
        """Put streams that log in the place of stdout and stderr; gives the last of them."""
        level = level_of(loglevel)
        proxy = LoggingProxy(logger, level, _unwrapped(sys.stderr))
        if stderr:
            sys.stderr = proxy
        if stdout:
            proxy = LoggingProxy(logger, level, _unwrapped(sys.stdout))
            sys.stdout = proxy
        return proxy


def _unwrapped(stream: Any) -> Any:
    """The stream behind a proxy: what is logged must not be logged again."""
    return stream.original if isinstance(stream, LoggingProxy) else stream


def _path(logfile: str | None, hostname: str | None) -> str | None:
    return expanded(logfile, hostname) if logfile and hostname else logfile
