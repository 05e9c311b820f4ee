"""Options of commands that run for long: pid file, user, background."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from celeriac.platforms import PidFile, detach, drop_privileges
from celeriac.protocol.origin import expanded

Command = TypeVar("Command", bound=Callable[..., Any])

_NAMES: Final = ("pidfile", "uid", "gid", "umask", "executable", "detach")


def _octal(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """A umask, as the shell's takes it."""
    if value is None:
        return None
    try:
        number = int(value, 8)
    except ValueError:
        number = -1
    if not 0 <= number <= 0o777:
        raise click.BadParameter(f"{value!r} is no umask: it must be an octal number from 0 to 777, as in 022")
    return number


#: Where they stand in ``--help``.
DAEMON_SECTION: Final = {"In the background": ("detach", "pidfile", "uid", "gid", "umask", "executable")}

_OPTIONS: Final = (
    click.option("--pidfile", help="Write the process id to this file, and let no second one start with it."),
    click.option("--uid", help="Run as this user, by name or number; all rights of root are given up."),
    click.option("--gid", help="Run as this group; the user's own unless given."),
    click.option("--umask", callback=_octal, help="The umask of files that are made, in octal."),
    click.option("--executable", help="Run it with this Python."),
    click.option("-D", "--detach", is_flag=True, help="Run in the background."),
)


def daemon_options(command: Command) -> Command:
    """Add them to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Daemon:
    """What the options of one call say; `options` of the command lose them."""

    pidfile: str | None
    uid: str | None
    gid: str | None
    umask: int | None
    executable: str | None
    detach: bool

    @classmethod
    def from_options(cls, options: dict[str, Any], node: str = "") -> Daemon:
        """Take them out of `options`; in the name of the pid file %n and %h stand for parts of `node`, its name."""
        found = {name: options.pop(name) for name in _NAMES}
        if found["pidfile"]:
            found["pidfile"] = expanded(found["pidfile"], node)
        return cls(**found)

    @contextmanager
    def running(self) -> Iterator[Callable[[], None]]:
        """Be what the options say while the block runs.

        The block calls what it gets when all that can go wrong at the start has gone well: in the background, nobody
        sees what is printed after that.  Raises `ImproperlyConfigured` for what cannot be had.
        """
        if self.executable:
            self._use_executable()
        settle = detach() if self.detach else _nothing
        drop_privileges(self.uid, self.gid)
        if self.umask is not None:
            os.umask(self.umask)
        pidfile = PidFile(self.pidfile) if self.pidfile else None
        if pidfile is not None:
            pidfile.acquire()
        try:
            yield settle
        finally:
            if pidfile is not None:
                pidfile.release()

    def _use_executable(self) -> None:
        assert self.executable is not None
        if os.path.realpath(sys.executable) == os.path.realpath(self.executable):
            return
        try:
            os.execv(self.executable, [self.executable, *sys.orig_argv[1:]])
        except OSError as error:
            raise click.BadParameter(
                f"{self.executable} cannot be run: {error.strerror}", param_hint="--executable"
            ) from None


def start_anew() -> None:
    """Replace this process by one that was started in the same way.  Never returns."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, sys.orig_argv)


def _nothing() -> None:
    return None
