"""Files named by a directory, a glob or a path of their own, which are read anew when they change."""

from __future__ import annotations

import glob
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from celeriac.exceptions import SecurityError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

logger = logging.getLogger("celeriac_auth")

#: Name, modification time in nanoseconds and size of each file.
State: TypeAlias = tuple[tuple[str, int, int], ...]

#: Seconds between two looks at whether something has changed.
LOOK: Final = 1.0
#: Most files of a directory.
_MOST: Final = 10_000


class WatchedFiles(Generic[T]):
    """What `load` makes of the files at `path`; made anew when they have changed, and kept as it was when that fails.

    `most_bytes` is the size of the largest file that is read.  The constructor raises `SecurityError` where there is no
    file, or one that cannot be read or is too large, and what `load` raises.  Thread-safe.
    """

    def __init__(self, path: str, load: Callable[[list[tuple[str, bytes]]], T], most_bytes: int) -> None:
        self._path = path
        self._load = load
        self._most_bytes = most_bytes
        self._state = self._look()
        self._value = load(self._read(self._state))
        self._next_look = time.monotonic() + LOOK
        self._told = ""

    def get(self, sooner: float = 0.0) -> T:
        """What there is now; looks for changes once a second, or so many seconds `sooner`."""
        if time.monotonic() >= self._next_look - sooner:
            self.refresh()
        return self._value

    def refresh(self) -> None:
        """Look for changes now."""
        self._next_look = time.monotonic() + LOOK
        try:
            state = self._look()
            if state == self._state:
                return
            self._state = state  # also where it cannot be read, which is told of once
            self._value = self._load(self._read(state))
        except (SecurityError, OSError) as error:
            if str(error) != self._told:
                self._told = str(error)
                logger.error("%s has changed, and what was there before still holds: %s", self._path, error)
        else:
            self._told = ""
            logger.info("%s has changed and was read anew", self._path)

    def _look(self) -> State:
        found = []
        for name in self._names():
            status = os.stat(name)
            found.append((name, status.st_mtime_ns, status.st_size))
        if not found:
            raise SecurityError(f"there is no file at {self._path}")
        if len(found) > _MOST:
            raise SecurityError(f"there are more than {_MOST} files at {self._path}")
        return tuple(found)

    def _names(self) -> list[str]:
        if os.path.isdir(self._path):
            with os.scandir(self._path) as entries:
                return sorted(each.path for each in entries if not each.name.startswith(".") and each.is_file())
        return sorted(name for name in glob.glob(self._path) if os.path.isfile(name))

    def _read(self, state: State) -> list[tuple[str, bytes]]:
        return [(name, read_file(name, self._most_bytes)) for name, _, _ in state]


def read_file(name: str, most_bytes: int) -> bytes:
    """The content of a file.  Raises `SecurityError` where it cannot be read or is larger."""
    try:
        with Path(name).open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise SecurityError(f"{name} cannot be read: {error.strerror}") from None
    if len(data) > most_bytes:
        raise SecurityError(f"{name} has more than {most_bytes} bytes")
    return data
