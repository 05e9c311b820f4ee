"""The directory of journals, which belongs to one user alone, and the locks by which they tell that somebody lives."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from weakref import WeakSet

from celeriac.contracts.places import user_directory

_SUFFIX: Final = ".journal"
#: What a journal is called while it is made, and after it could not be read.
_UNFINISHED: Final = ".new"
_UNREADABLE: Final = ".unreadable"

_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Unusable(Exception):
    """Why a directory or a file cannot be used, in words for people."""


def journal_directory(setting: str | None) -> Path:
    """Where journals are: as the setting says, and if it does not, where files are kept over a restart of the machine.

    Raises `Unusable` where that depends on a home and the user has none.
    """
    try:
        return Path(setting).expanduser() if setting else user_directory("state") / "journal"
    except RuntimeError as error:
        raise Unusable(f"user {os.geteuid()} has no home directory") from error


class Lock:
    """Held by this process alone, until it is released or the process ends, however it does.

    Children that are forked do not hold it: pools have theirs killed by the kernel when their parent has died.  A
    mapping of the file would keep it, and so is made of another descriptor, of which the file was opened once more.
    """

    def __init__(self, descriptor: int) -> None:
        """Raises BlockingIOError where somebody else holds it; the descriptor is closed then."""
        self.descriptor = descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
        _held.add(self)

    def release(self) -> None:
        """Let go of it; tolerates being called twice."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        _held.discard(self)


_held: Final[WeakSet[Lock]] = WeakSet()


def _let_go_of_all() -> None:
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_let_go_of_all)


class JournalDirectory:
    """Open for as long as a worker has a journal in it."""

    def __init__(self, path: Path) -> None:
        """Make it where it is not there.  Raises `Unusable`."""
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, _DIRECTORY)
        except OSError as error:
            reason = "is a symbolic link" if path.is_symlink() else f"cannot be made or opened: {error.strerror}"
            raise Unusable(f"{path} {reason}") from error
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> None:
        found = os.fstat(self._descriptor)
        if found.st_uid != os.geteuid():
            raise Unusable(f"{self.path} belongs to user {found.st_uid}, and this worker runs as user {os.geteuid()}")
        if found.st_mode & 0o077:
            raise Unusable(f"others may enter {self.path} (mode {stat.S_IMODE(found.st_mode):o}, and it must be 700)")

    def close(self) -> None:
        """Tolerates being called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    # -- files --------------------------------------------------------------------------------------------------------

    def names(self, key: str) -> Iterator[str]:
        """The journals of workers whose broker has that key.  Raises OSError."""
        return (name for name in os.listdir(self._descriptor) if name.startswith(key) and name.endswith(_SUFFIX))

    def create(self, name: str) -> tuple[int, Lock]:
        """Make a file, open to be mapped, and locked; nobody looks at it until it is published.  Raises OSError."""
        unfinished = name + _UNFINISHED
        descriptor = os.open(unfinished, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._descriptor)
        try:
            return descriptor, Lock(os.open(unfinished, _FLAGS, dir_fd=self._descriptor))
        except BaseException:
            os.close(descriptor)
            self._unlink(unfinished)
            raise

    def publish(self, name: str) -> str:
        """The file can be read now; gives its name from now on.  Raises OSError."""
        self._rename(name + _UNFINISHED, name + _SUFFIX)
        return name + _SUFFIX

    def abandon(self, name: str) -> None:
        """Remove a file that was not published."""
        self._unlink(name + _UNFINISHED)

    def inherit(self, name: str) -> tuple[int, Lock]:
        """Open a published file whose owner has died, to be mapped, and lock it.

        Raises BlockingIOError where the owner lives, FileNotFoundError where somebody else has dealt with the file,
        `Unusable` where it is no file of ours, and OSError.
        """
        lock = Lock(os.open(name, _FLAGS, dir_fd=self._descriptor))
        try:
            found = os.fstat(lock.descriptor)
            if found.st_nlink == 0:
                raise FileNotFoundError(name)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise Unusable("it is no plain file")
            if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                raise Unusable("it belongs to somebody else, or others may read or write it")
            return os.open(name, _FLAGS, dir_fd=self._descriptor), lock
        except BaseException:
            lock.release()
            raise

    def set_aside(self, name: str) -> None:
        """Have nobody read it again."""
        with suppress(OSError):
            self._rename(name, name.removesuffix(_SUFFIX) + _UNREADABLE)

    def remove(self, name: str) -> None:
        """All that was in it is dealt with."""
        self._unlink(name)

    def _rename(self, old: str, new: str) -> None:
        os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def _unlink(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(name, dir_fd=self._descriptor)
