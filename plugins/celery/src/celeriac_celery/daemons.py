"""Processes in the background (``celery.platforms``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any, Final

from kombu.utils.imports import symbol_by_name

from celeriac_celery.operating_system import LockFailed

_MOST_FILES: Final = 2048

_PidFile: Any = symbol_by_name("celeriac.platforms:PidFile")


class Pidfile:
    """The file that holds the id of a process while that runs.  Raises `LockFailed` where another one has it."""

    path: str | None = None

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._file = _PidFile(path)

    def acquire(self) -> Pidfile:
        """Write the id of this process."""
        try:
            self._file.acquire()
        except symbol_by_name("celeriac.exceptions:ImproperlyConfigured") as error:
            raise LockFailed(str(error)) from error
        return self

    __enter__ = acquire
    write_pid = acquire

    def is_locked(self) -> bool:
        """Whether there is a file."""
        return os.path.exists(self._file.path)

    def release(self, *_: Any) -> None:
        """Remove it, if it is this process's."""
        self._file.release()

    __exit__ = release

    def read_pid(self) -> int | None:
        """The id in the file; None where there is none."""
        found: int | None = self._file.read()
        return found

    def remove(self) -> None:
        """Remove it, whoever's it is."""
        self._file.path.unlink(missing_ok=True)

    def remove_if_stale(self) -> bool:
        """Remove it where its process is gone; whether it was."""
        pid = self.read_pid()
        if pid is not None and symbol_by_name("celeriac.platforms:is_alive")(pid):
            return False
        self.remove()
        return True


def create_pidlock(pidfile: str) -> Pidfile:
    """Acquire it; released when the process ends."""
    import atexit

    lock = Pidfile(pidfile).acquire()
    atexit.register(lock.release)
    return lock


class DaemonContext:
    """Go on in the background; with `fake` only what else is asked for happens."""

    def __init__(
        self,
        pidfile: str | None = None,
        workdir: str | None = None,
        umask: int | str | None = None,
        fake: bool = False,
        after_chdir: Callable[[], Any] | None = None,
        after_forkers: bool = True,
        **_: Any,
    ) -> None:
        self.pidfile = pidfile
        self.workdir = workdir or os.getcwd()
        self.umask = int(umask, 8) if isinstance(umask, str) else umask
        self.fake = fake
        self.after_chdir = after_chdir
        self._is_open = False

    def open(self) -> None:
        """Do it; once."""
        if self._is_open:
            return
        self._is_open = True
        settle = None if self.fake else symbol_by_name("celeriac.platforms:detach")()
        os.chdir(self.workdir)
        if self.umask is not None:
            os.umask(self.umask)
        if self.after_chdir is not None:
            self.after_chdir()
        if settle is not None:
            settle()

    def close(self, *_: Any) -> None:
        """Nothing is left to be done."""
        self._is_open = False

    def __enter__(self) -> DaemonContext:
        self.open()
        return self

    __exit__ = close


@contextmanager
def detached(
    logfile: str | None = None,
    pidfile: str | None = None,
    uid: Any = None,
    gid: Any = None,
    umask: Any = 0,
    workdir: str | None = None,
    fake: bool = False,
    **opts: Any,
) -> Any:
    """Go on in the background as that user, with a pid file; errors are told before the terminal is gone."""
    symbol_by_name("celeriac.platforms:drop_privileges")(uid, gid)

    def check() -> None:
        if logfile:
            with open(logfile, "a", encoding="utf-8"):  # now, while somebody sees why it cannot be written
                pass
        if pidfile:
            create_pidlock(pidfile)

    with DaemonContext(pidfile=pidfile, workdir=workdir, umask=umask, fake=fake, after_chdir=check) as context:
        yield context


def get_fdmax(default: Any = None) -> Any:
    """How many files the process may have open; `default` where that is not bounded."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return default if most == resource.RLIM_INFINITY else most


def fd_by_path(paths: Iterable[str]) -> list[int]:
    """The open descriptors of these files."""
    wanted = {(found.st_dev, found.st_ino) for path in paths if os.path.exists(path) for found in [os.stat(path)]}
    return [fd for fd in range(1, get_fdmax(_MOST_FILES)) if _identity(fd) in wanted]


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def close_open_fds(keep: Iterable[Any] | None = None) -> None:
    """Close all descriptors but those of `keep`: numbers, and open files."""
    kept = sorted({each if isinstance(each, int) else each.fileno() for each in keep or ()})
    begin = 0
    for fd in kept:
        if fd > begin:  # an empty range from 0 on would be taken as all there are
            os.closerange(begin, fd)
        begin = fd + 1
    os.closerange(begin, max(begin, get_fdmax(_MOST_FILES)))


def setgroups(groups: Iterable[int]) -> None:
    """The groups of this process, as many as the system allows."""
    most = os.sysconf("SC_NGROUPS_MAX")
    os.setgroups(list(groups)[:most])


def setuid(uid: Any) -> None:
    """The user of this process, by number or name."""
    os.setuid(symbol_by_name("celeriac.platforms:user_id")(uid))


def setgid(gid: Any) -> None:
    """The group of this process, by number or name."""
    os.setgid(symbol_by_name("celeriac.platforms:group_id")(gid))


def initgroups(uid: int, gid: int) -> None:
    """The groups of that user."""
    import pwd

    os.initgroups(pwd.getpwuid(uid).pw_name, gid)


__all__ = [
    "DaemonContext",
    "Pidfile",
    "close_open_fds",
    "create_pidlock",
    "detached",
    "fd_by_path",
    "get_fdmax",
    "initgroups",
    "setgid",
    "setgroups",
    "setuid",
]
