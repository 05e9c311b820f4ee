"""Forked children of a test."""

from __future__ import annotations

import os
from collections.abc import Callable


def in_a_child(action: Callable[[], object]) -> int:
    """The exit code of a forked child that does this and nothing else."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
