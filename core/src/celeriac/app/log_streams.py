"""What stands for stdout and stderr where everything that is printed goes to the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Any


class _Line(threading.local):
    """What a thread has printed of a line that has not ended; and whether the thread is just logging one."""

    text = ""
    is_logging = False


class LoggingProxy:
    """A text stream that logs each line written to it; all else is that of the stream `original`."""

    mode = "w"
    closed = False

    def __init__(self, logger: logging.Logger, loglevel: int, original: Any) -> None:
        self.logger = logger
        self.loglevel = loglevel
        self.original = original
        self._line = _Line()

    def write(self, data: str) -> int:
        """Log the lines that `data` completes; the rest waits for its end, or for `flush`."""
        if self._line.is_logging:
            # A handler failed and says so: logging that would fail as well, without an end.
            return int(self.original.write(data))
        *lines, rest = (self._line.text + data).split("\n")
        self._line.text = rest
        for line in lines:
            self._log(line)
        return len(data)

    def _log(self, line: str) -> None:
        if not line.strip():
            return
        self._line.is_logging = True
        try:
            self.logger.log(self.loglevel, "%s", line.rstrip())
        finally:
            self._line.is_logging = False

    def writelines(self, lines: Iterable[str]) -> None:
        """As `write`, for each."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Log what this thread has printed of a line that has not ended."""
        if not self._line.is_logging:
            rest, self._line.text = self._line.text, ""
            self._log(rest)
        self.original.flush()

    def close(self) -> None:
        """Nothing: the log outlives whoever prints."""

    def isatty(self) -> bool:
        """False: nobody shall draw in the log."""
        return False

    def writable(self) -> bool:
        """True."""
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)
