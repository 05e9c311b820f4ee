"""What a process is to the system: its user, its place in the background, the file that holds its id."""

from __future__ import annotations

import errno
import grp
import logging
import os
import pwd
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from celeriac.exceptions import ImproperlyConfigured, SecurityError

__all__ = [
    "EX_CANTCREAT",
    "EX_FAILURE",
    "EX_OK",
    "EX_UNAVAILABLE",
    "EX_USAGE",
    "PidFile",
    "check_privileges",
    "detach",
    "drop_privileges",
    "is_alive",
]

logger = logging.getLogger("celeriac.worker")

EX_OK: Final = getattr(os, "EX_OK", 0)
EX_FAILURE: Final = 1
EX_UNAVAILABLE: Final = getattr(os, "EX_UNAVAILABLE", 69)
EX_USAGE: Final = getattr(os, "EX_USAGE", 64)
EX_CANTCREAT: Final = getattr(os, "EX_CANTCREAT", 73)

_FORCE: Final = "C_FORCE_ROOT"
_PICKLED: Final = frozenset({"pickle", "application/x-python-serialize"})
#: Bytes of a pid file that are read.
_MOST: Final = 32


# -- the user ----------------------------------------------------------------------------------------------------------


def user_id(user: str | int) -> int:
    """The number of a user, given as that or by name.  Raises `ImproperlyConfigured` for a name that nobody has."""
    return _number(user, lambda name: pwd.getpwnam(name).pw_uid, "user")


def group_id(group: str | int) -> int:
    """The number of a group, given as that or by name.  Raises `ImproperlyConfigured`, as `user_id`."""
    return _number(group, lambda name: grp.getgrnam(name).gr_gid, "group")


def _number(given: str | int, look_up: Callable[[str], int], kind: str) -> int:
    try:
        return int(given)
    except ValueError:
        pass
    try:
        return look_up(str(given))
    except KeyError:
        raise ImproperlyConfigured(f"there is no {kind} {given!r} on this machine") from None


def drop_privileges(user: str | int | None = None, group: str | int | None = None) -> None:
    """Go on as this user and group for good, with no other group than those of the user.

    Without a `group` it is the user's own.  Nothing happens where neither is given, or the process is that already.
    Raises `ImproperlyConfigured` for names that nobody has and for a process that may not do this, `SecurityError`
    where root's rights could be had back.
    """
    if user is None and group is None:
        return
    uid = os.getuid() if user is None else user_id(user)
    gid = _group_of(uid) if group is None else group_id(group)
    if (uid, gid) == (os.getuid(), os.getgid()) == (os.geteuid(), os.getegid()):
        return
    try:
        _become(uid, gid, with_groups=user is not None)
    except PermissionError as error:
        raise ImproperlyConfigured(
            f"this process, which user {os.geteuid()} runs, may not become user {uid} with group {gid}: "
            "only root may; leave out --uid and --gid, or start it as root"
        ) from error
    if uid != 0:
        _make_sure_it_is_for_good()


def check_privileges(accept_content: Collection[str]) -> None:
    """Warn who runs tasks as root; refuse where messages could then run any code, which pickled ones can.

    Raises `SecurityError`, unless the variable C_FORCE_ROOT is set.
    """
    if os.geteuid() != 0 or os.environ.get(_FORCE):
        return
    if _PICKLED.intersection(accept_content):
        raise SecurityError(
            "this worker would run as root and accept pickled messages, so that whoever can write to its queues owns "
            f"this machine: run it as another user (--uid), or set {_FORCE}=1 if you know what you do"
        )
    logger.warning("This worker runs as root, and so do all tasks; better run it as another user (--uid)")


def _become(uid: int, gid: int, with_groups: bool) -> None:
    name = _name_of(uid)
    # The user last: after that nothing of this may be done any more.
    if with_groups and name is not None:
        os.initgroups(name, gid)
    else:
        os.setgroups([gid])
    os.setgid(gid)
    os.setuid(uid)


def _make_sure_it_is_for_good() -> None:
    try:
        os.setuid(0)
    except OSError as error:
        if error.errno == errno.EPERM:
            return
        raise
    raise SecurityError("root's rights were given up, and could be had back: this system keeps them for the process")


def _group_of(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        raise ImproperlyConfigured(f"there is no user {uid} on this machine, so name the group: --gid") from None


def _name_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


# -- the background ----------------------------------------------------------------------------------------------------


def detach() -> Callable[[], None]:
    """Go on in the background, in a session of its own and without a terminal.

    The process that was started waits until the one that goes on calls what this returns, and then exits with 0; where
    that ends before, it exits with the same code.  Until then errors can be told where the person looks: the call also
    takes the standard streams away.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        _exit_as(child, reader)
    os.close(reader)
    os.setsid()

    def settle() -> None:
        devnull = os.open(os.devnull, os.O_RDWR)
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor in (0, 1, 2):
            os.dup2(devnull, descriptor)
        os.close(devnull)
        os.write(writer, b"1")
        os.close(writer)

    return settle


def _exit_as(child: int, reader: int) -> None:
    """In the process that was started: wait for news of the one that goes on, and end."""
    settled = os.read(reader, 1)
    if settled:
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


# -- the pid file ------------------------------------------------------------------------------------------------------


class PidFile:
    """Holds the id of a process while that runs, so that no second one starts and others know whom to signal."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._owner: int | None = None

    def read(self) -> int | None:
        """The id in the file; None where there is no file, or no id in it."""
        try:
            with self.path.open() as file:
                text = file.read(_MOST).strip()
        except FileNotFoundError:
            return None
        return int(text) if text.isascii() and text.isdecimal() else None

    def acquire(self) -> None:
        """Write the id of this process into it.

        A file that a dead process has left behind is taken over.  Raises `ImproperlyConfigured` where a process with
        the id in the file lives, or the file cannot be written.
        """
        try:
            holder = self.read()
            if holder is not None and holder != os.getpid() and is_alive(holder):
                raise ImproperlyConfigured(
                    f"the pid file {self.path} belongs to process {holder}, which runs: stop that first, or, if it is "
                    "something else, remove the file"
                )
            if self.path.exists():
                self.path.unlink()
            # Exclusively: of two processes that start at once, one must fail.
            descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            raise ImproperlyConfigured(f"another process has just made the pid file {self.path}") from None
        except OSError as error:
            raise ImproperlyConfigured(f"the pid file {self.path} cannot be written: {error.strerror}") from error
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{os.getpid()}\n")
        self._owner = os.getpid()

    def release(self) -> None:
        """Remove the file, if it is still this process's; harmless in a forked child, and when repeated."""
        if self._owner == os.getpid() and self.read() == self._owner:
            self.path.unlink(missing_ok=True)
        self._owner = None


def is_alive(pid: int) -> bool:
    """Whether there is a process of that id, anybody's."""
    if pid <= 0:  # that would be a whole group of processes
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
