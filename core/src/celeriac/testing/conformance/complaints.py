"""What a driver raises where nobody is who could catch it: in the loop, between the calls of a test."""

from __future__ import annotations

import logging
from typing import Any, Final

from celeriac.testing.conformance.demands import fail

#: Who logs it: the kernel's way through plain Kombu, and Kombu's loop.
_LOGGERS: Final = ("celeriac.worker", "kombu")


class Complaints(logging.Handler):
    """Gathers errors that were logged with an exception that no lost connection explains."""

    def __init__(self, expected: tuple[type[BaseException], ...]) -> None:
        super().__init__(logging.ERROR)
        self._expected = expected
        self._first: BaseException | None = None
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        error: Any = record.exc_info[1] if record.exc_info else None
        if self._first is None and error is not None and not isinstance(error, self._expected):
            self._first = error

    def judge(self) -> None:
        """Gather no more; the test fails if there was one."""
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(self)
        if self._first is not None:
            fail(f"while the loop turned, the driver raised {type(self._first).__name__}: {self._first}")
