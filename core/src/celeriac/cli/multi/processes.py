"""The processes of nodes: known by their pid files, started, signalled, waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from celeriac.platforms import PidFile, is_alive

if TYPE_CHECKING:
    from celeriac.cli.multi.nodes import Node

#: Seconds between two looks whether a process has ended.
_LOOK: Final = 0.05
#: What the command line of a worker has in it, so that a number that the system has given to another is not signalled.
_OURS: Final = (b"celeriac", b"celery", b"worker")


def pid_of(node: Node) -> int | None:
    """The process of a node; None where it does not run.  Raises `UsageError` for a pid file that cannot be read."""
    try:
        pid = PidFile(node.pidfile).read()
    except OSError as error:
        raise click.UsageError(f"the pid file {node.pidfile} cannot be read: {error.strerror}") from None
    return pid if pid is not None and _runs(pid) else None


def _runs(pid: int) -> bool:
    return is_alive(pid) and _may_be_worker(pid)


def _may_be_worker(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # no such file system, or no right to look
        return True
    # A process that has ended, and that nobody has waited for yet, has no words left.
    return any(word in words for word in _OURS)


def start(node: Node) -> tuple[int, str]:
    """Start a node; its exit code and what it said: it goes to the background when all is well."""
    for path in (node.pidfile, Path(node.logfile)):
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    # Not a pipe: the one that goes to the background would hold it open.
    with open(os.devnull) as nothing, _Told() as told:
        code = subprocess.call(node.command, stdin=nothing, stdout=told.file, stderr=told.file)
        return code, told.text()


class _Told:
    """A file for what a process says."""

    def __enter__(self) -> _Told:
        import tempfile  # only starting needs it

        self.file = tempfile.TemporaryFile()
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def text(self) -> str:
        self.file.seek(0)
        return self.file.read().decode(errors="replace").strip()


def signal_named(name: str) -> signal.Signals:
    """``TERM``, ``SIGTERM`` or ``15``.  Raises `UsageError`."""
    try:
        if name.isdecimal():
            return signal.Signals(int(name))
        return signal.Signals["SIG" + name.upper().removeprefix("SIG")]
    except (KeyError, ValueError):
        raise click.UsageError(f"there is no signal {name!r}") from None


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False where the process has gone.  Raises `ClickException` where that is not allowed."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise click.ClickException(f"process {pid} belongs to another user; run this as that user") from None
    return True


def wait_for_end(pids: Iterable[int], on_end: Callable[[int], object]) -> None:
    """Wait until all have ended; `on_end` is called with each as it does."""
    left = list(pids)
    while left:
        for pid in [pid for pid in left if not _runs(pid)]:
            left.remove(pid)
            on_end(pid)
        if left:
            time.sleep(_LOOK)
