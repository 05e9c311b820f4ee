"""Loggers by Celery's names (``celery.utils.log``)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

LOG_LEVELS: Final[dict[Any, Any]] = {
    **logging.getLevelNamesMapping(),
    **{level: name for name, level in logging.getLevelNamesMapping().items() if name not in {"WARN", "FATAL"}},
}
base_logger: Final = logging.getLogger("celeriac")
task_logger: Final = logging.getLogger("celeriac.task")
worker_logger: Final = logging.getLogger("celeriac.worker")

_in_handler = False


def set_in_sighandler(value: bool) -> None:
    """Note that a handler of a signal runs."""
    global _in_handler  # noqa: PLW0603  # one per process, as signals are
    _in_handler = value


@contextmanager
def in_sighandler() -> Iterator[None]:
    """Note it while the block lasts."""
    set_in_sighandler(True)
    try:
        yield
    finally:
        set_in_sighandler(False)


def get_multiprocessing_logger() -> logging.Logger:
    """The logger of Python's ``multiprocessing``."""
    from multiprocessing.util import get_logger  # few ask

    return get_logger()


def reset_multiprocessing_logger() -> None:
    """Nothing: the pools are not made of ``multiprocessing``."""


__all__ = [
    "LOG_LEVELS",
    "base_logger",
    "get_multiprocessing_logger",
    "in_sighandler",
    "reset_multiprocessing_logger",
    "set_in_sighandler",
    "task_logger",
    "worker_logger",
]
