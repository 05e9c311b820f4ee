"""Loggers by name: those of tasks, those of everything else, and levels."""

from __future__ import annotations

import logging
from typing import Any, Final

from celeriac.exceptions import ImproperlyConfigured

BASE: Final = "celeriac"
TASKS: Final = "celeriac.task"
REDIRECTED: Final = "celeriac.redirected"


def get_logger(name: str) -> logging.Logger:
    """The logger `name`; one that belongs to nothing else is written where Celeriac's own are."""
    return _adopted(logging.getLogger(name), BASE)


def get_task_logger(name: str) -> logging.Logger:
    """The logger of a module of tasks: its lines are written in the format of tasks, with the task's name and id.

    Raises ValueError for the names that are Celeriac's own.
    """
    if name in {BASE, TASKS}:
        raise ValueError(f"the logger {name!r} is Celeriac's own: call get_task_logger(__name__)")
    return _adopted(logging.getLogger(name), TASKS)


def _adopted(logger: logging.Logger, parent: str) -> logging.Logger:
    # A logger that has a parent of its own, or is above ours, keeps its place.
    if logger.parent is logging.root and not f"{parent}.".startswith(f"{logger.name}."):
        logger.parent = logging.getLogger(parent)
    return logger


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
