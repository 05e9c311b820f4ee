"""The machine and its processes (``celery.platforms``, ``celery.utils.sysinfo``)."""

from __future__ import annotations

import errno
import os
import platform
import signal as system
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from kombu.utils.imports import symbol_by_name

from celeriac.pools.processors import processors

SYSTEM: Final = platform.system()
IS_macOS: Final = SYSTEM == "Darwin"
IS_WINDOWS: Final = SYSTEM == "Windows"
EX_OK: Final = 0
EX_FAILURE: Final = 1
EX_USAGE: Final = 64
EX_UNAVAILABLE: Final = 69
SIGMAP: Final[Mapping[int, str]] = {number: number.name for number in system.Signals}
AUTO_CONCURRENCY: Final = "auto"


class LockFailed(Exception):
    """The pidfile is that of another process, which runs."""


class Signals:
    """Handlers of signals, by the short names of those."""

    def signum(self, name: Any) -> int:
        """The number of a signal: ``"TERM"``, ``"SIGTERM"`` or a number."""
        if isinstance(name, int):
            return name
        wanted = name.upper()
        return int(system.Signals[wanted if wanted.startswith("SIG") else f"SIG{wanted}"])

    def supported(self, name: str) -> bool:
        """Whether the system has it."""
        return hasattr(system, name.upper() if name.upper().startswith("SIG") else f"SIG{name.upper()}")

    def reset(self, *names: str) -> None:
        """Handle these as the system does."""
        self.update((name, system.SIG_DFL) for name in names)

    def ignore(self, *names: str) -> None:
        """Ignore these."""
        self.update((name, system.SIG_IGN) for name in names)

    def __getitem__(self, name: str) -> Any:
        return system.getsignal(self.signum(name))

    def __setitem__(self, name: str, handler: Any) -> None:
        try:
            system.signal(self.signum(name), handler)
        except (KeyError, ValueError):  # there is no such signal, or this is not the main thread
            return

    def update(self, _d_: Any = None, **handlers: Any) -> None:
        """Set several handlers."""
        for name, handler in dict(_d_ or {}, **handlers).items():
            self[name] = handler


signals: Final = Signals()


def signal_name(signum: int) -> str:
    """The name of a signal."""
    return system.Signals(signum).name


def pyimplementation() -> str:
    """What runs Python code here."""
    return platform.python_implementation()


def isatty(fh: Any) -> bool:
    """Whether it is a terminal."""
    try:
        return bool(fh.isatty())
    except AttributeError:
        return False


def get_errno_name(n: int | str) -> int:
    """The number of an error of the system, given by its name."""
    return getattr(errno, n) if isinstance(n, str) else n


@contextmanager
def ignore_errno(*errnos: int | str, types: Any = OSError) -> Iterator[None]:
    """Let such errors pass, while the block lasts."""
    numbers = {get_errno_name(each) for each in errnos}
    try:
        yield
    except types as error:
        if getattr(error, "errno", None) not in numbers:
            raise


def set_process_title(progname: str, info: str | None = None) -> str:
    """What a list of processes is to show, where the package setproctitle is there to do it."""
    title = f"[{progname}]{f' {info}' if info else ''}"
    if "setproctitle" in sys.modules:
        sys.modules["setproctitle"].setproctitle(title)
    return title


def set_mp_process_title(progname: str, info: str | None = None, hostname: str | None = None) -> str:
    """The same, with the host."""
    return set_process_title(f"{progname}:{hostname}" if hostname else progname, info)


def _of_ours(name: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        return symbol_by_name(f"celeriac.platforms:{name}")(*args)

    return call


parse_uid = _of_ours("user_id")
parse_gid = _of_ours("group_id")
maybe_drop_privileges = _of_ours("drop_privileges")


def load_average() -> tuple[float, ...]:
    """The load of the last 1, 5 and 15 minutes."""
    return tuple(round(each, 2) for each in os.getloadavg())


class df:  # noqa: N801  # Celery's name
    """What is left of the file system that has `path`: 1024-byte blocks, and how full it is in percent."""

    def __init__(self, path: Any) -> None:
        self.stat = os.statvfs(path)

    @property
    def total_blocks(self) -> float:
        """How large it is."""
        return self.stat.f_blocks * self.stat.f_frsize / 1024

    @property
    def available(self) -> float:
        """What anybody may still use."""
        return self.stat.f_bavail * self.stat.f_frsize / 1024

    @property
    def capacity(self) -> int:
        """How much of it is used, rounded up."""
        used = self.stat.f_blocks - self.stat.f_bfree
        return -(-100 * used // (used + self.stat.f_bavail))


def available_cpu_count() -> int:
    """How many processors this process may use."""
    return processors()


def is_auto_concurrency(value: Any) -> bool:
    """Whether the number of processors decides."""
    return value in {None, 0, "0", "", AUTO_CONCURRENCY}


__all__ = [
    "AUTO_CONCURRENCY",
    "EX_FAILURE",
    "EX_OK",
    "EX_UNAVAILABLE",
    "EX_USAGE",
    "IS_WINDOWS",
    "SIGMAP",
    "SYSTEM",
    "IS_macOS",
    "LockFailed",
    "available_cpu_count",
    "df",
    "get_errno_name",
    "ignore_errno",
    "is_auto_concurrency",
    "isatty",
    "load_average",
    "maybe_drop_privileges",
    "parse_gid",
    "parse_uid",
    "pyimplementation",
    "set_mp_process_title",
    "set_process_title",
    "signal_name",
    "signals",
]
