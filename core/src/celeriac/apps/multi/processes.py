"""The processes of nodes: known by their pid files, started, signalled, waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from celeriac.platforms import PidFile, is_alive

#: What the command line of a worker has in it, so that a number that the system has given to another is not signalled.
_OURS: Final = (b"celeriac", b"celery", b"worker")


def running_pid(pidfile: str) -> int | None:
    """The process of a pid file; None where it does not run.  Raises `UsageError` for a file that cannot be read."""
    try:
        pid = PidFile(pidfile).read()
    except OSError as error:
        raise click.UsageError(f"the pid file {pidfile} cannot be read: {error.strerror}") from None
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


def call(command: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command that goes to the background when all is well; its exit code and what it said."""
    # Not a pipe: the one that goes to the background would hold it open.
    with open(os.devnull) as nothing, tempfile.TemporaryFile() as told:
        try:
            code = subprocess.call(command, env=env, stdin=nothing, stdout=told, stderr=told)
        except OSError as error:
            raise click.ClickException(f"{command[0]} cannot be run: {error.strerror}") from None
        told.seek(0)
        return code, told.read().decode(errors="replace").strip()


def signal_of(given: str | int) -> signal.Signals:
    """``TERM``, ``SIGTERM``, ``15`` or 15.  Raises `UsageError`."""
    try:
        if isinstance(given, int) or given.isdecimal():
            return signal.Signals(int(given))
        return signal.Signals["SIG" + given.upper().removeprefix("SIG")]
    except (KeyError, ValueError):
        raise click.UsageError(f"there is no signal {given!r}") from None


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False where the process has gone.  Raises `ClickException` where that is not allowed."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise click.ClickException(f"process {pid} belongs to another user; run this as that user") from None
    return True


def wait_for_end(pids: Iterable[int], every: float, on_end: Callable[[int], object]) -> None:
    """Wait until all have ended, looking every so many seconds; `on_end` is called with each as it does."""
    left = list(pids)
    while left:
        for pid in [pid for pid in left if not _runs(pid)]:
            left.remove(pid)
            on_end(pid)
        if left:
            time.sleep(every)
