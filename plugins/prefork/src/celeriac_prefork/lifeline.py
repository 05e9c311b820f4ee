"""How a child learns that its parent is gone, even while a task keeps it busy."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
from typing import Final

#: fcntl(2): which signal to send in place of SIGIO.  The module `fcntl` has no name for it.
_F_SETSIG: Final = 10


def arm(descriptor: int) -> None:
    """Have the kernel kill this process when the other end of a pipe is closed; nobody ever writes to it.

    The signal is SIGKILL where the kernel lets us choose (Linux), since a task may block or catch any other, and SIGIO,
    whose default is to end the process, elsewhere.
    """
    if sys.platform == "linux":
        fcntl.fcntl(descriptor, _F_SETSIG, signal.SIGKILL)
    else:
        signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)
    # The parent may have died before all this.
    if select.select([descriptor], [], [], 0)[0]:
        os.kill(os.getpid(), signal.SIGKILL)
