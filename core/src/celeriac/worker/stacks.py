"""What every thread of this process does right now, for whoever wonders why a worker does nothing."""

from __future__ import annotations

import sys
import threading
import traceback


def stacks_of_all_threads() -> str:
    """The stack of each thread, innermost call last, under the thread's name."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident, frame in sorted(sys._current_frames().items()):
        parts.append(f"Thread {names.get(ident, 'unknown')} ({ident}):\n{''.join(traceback.format_stack(frame))}")
    return "\n".join(parts)
