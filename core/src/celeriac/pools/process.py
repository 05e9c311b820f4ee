"""Starting a process that goes on from here, and seeing how it ended.

This is the one place that knows how children come to be: another start method would be another `start`.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

SIGKILL: Final = signal.SIGKILL
#: The exit code of a child whose executor could not be made (EX_UNAVAILABLE of sysexits.h).
CANNOT_START: Final = 69

#: Signals that a terminal sends to the whole group, and that are the parent's to act upon.
_IGNORED = {signal.SIGINT}


def start(main: Callable[[], int]) -> int:
    """Fork; the child runs `main` and ends with what that returns.  Returns the process id of the child.

    Signals are held back in the child until the handlers that it inherits are gone.  Raises `OSError`.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # or the child would print it once more
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns where the parent has threads.  Ours are none of the child's business.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _become_child(main, mask)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


def _become_child(main: Callable[[], int], mask: Iterable[int]) -> NoReturn:
    code = 1
    try:
        # What is inherited is never collected: that would write to, and so copy, memory shared with the parent.
        gc.freeze()
        reset_signals()
        leave_terminal()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = main()
    except BaseException:  # noqa: BLE001  # nothing may unwind into the parent's frames
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):  # closed, or never there
                continue
        os._exit(code)


def reset_signals() -> None:
    """Forget the handlers of the parent."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)


def leave_terminal() -> None:
    """Read nothing where the parent would: a task that asks for input gets an end of file, not the operator's keys."""
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):  # there is none
        return
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def exit_watch(pid: int) -> int | None:
    """A descriptor that becomes readable when the process has ended, where the system has such."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, an old kernel, or a sandbox that forbids it
        return None


def reap(pid: int, *, block: bool) -> int | None:
    """Take the exit status of the process: its code, minus the signal's number, or None where it still runs.

    1 where somebody else has taken it.
    """
    try:
        found, status = os.waitpid(pid, 0 if block else os.WNOHANG)
    except ChildProcessError:
        return 1
    return os.waitstatus_to_exitcode(status) if found else None


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a child that is not reaped yet."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:  # reaped by somebody else
        return


def describe_exit(code: int) -> str:
    """How a process ended, for people."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
    return f"signal {-code} ({name})"


def exit_code_of(request: SystemExit) -> int:
    """The exit code that the interpreter would make of it."""
    code: Any = request.code
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) else 1
