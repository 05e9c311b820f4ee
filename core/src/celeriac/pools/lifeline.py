"""How a child learns that its parent is gone, even while a task keeps it busy."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import threading
from typing import Final

#: fcntl(2): which signal to send in place of SIGIO.  The module `fcntl` has no name for it.
_F_SETSIG: Final = 10


def arm(descriptor: int) -> None:
    """Have this process killed as soon as the other end of a pipe is closed; nobody ever writes to it."""
    if sys.platform == "linux":
        arm_by_kernel(descriptor)
    else:
        arm_by_thread(descriptor)


def arm_by_kernel(descriptor: int) -> None:
    """Leave it to the kernel: no thread, and no task can block or catch SIGKILL.  Only Linux lets us choose that."""
    fcntl.fcntl(descriptor, _F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)
    # The parent may have died before all this.
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    if poller.poll(0):
        _die()


def arm_by_thread(descriptor: int) -> None:
    """Wait in a thread; a task that never lets go of the interpreter also holds up its end."""
    threading.Thread(target=_die_after, args=(descriptor,), name="celeriac-lifeline", daemon=True).start()


def _die_after(descriptor: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    os.read(descriptor, 1)
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
