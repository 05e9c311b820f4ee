"""Forked children of a test."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Final

#: Seconds after which a child is taken to hang.
_PATIENCE: Final = 20.0


def in_a_child(action: Callable[[], object], meanwhile: Callable[[], object] | None = None) -> int:
    """The exit code of a forked child that does this and nothing else, while its parent does something as well.

    A child that hangs is killed.
    """
    pid = os.fork()
    if not pid:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    end = threading.Timer(_PATIENCE, os.kill, (pid, signal.SIGKILL))
    end.start()
    try:
        if meanwhile is not None:
            meanwhile()
    finally:
        _, status = os.waitpid(pid, 0)
        end.cancel()
    return os.waitstatus_to_exitcode(status)
