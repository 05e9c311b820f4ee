"""What a process uses, and where it is (``celery.utils.debug``)."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any, Final

_UNITS: Final = (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024))
#: What `sample_mem` has seen, as it was told.
_samples: list[str] = []


class BlockingError(RuntimeError):
    """The block has taken longer than it may."""


@contextmanager
def blockdetection(timeout: float | None) -> Iterator[None]:
    """Raise in the block, if it lasts longer than so many seconds; in the main thread only.  Nothing without one."""
    if not timeout:
        yield
        return

    def on_alarm(*_: Any) -> None:
        raise BlockingError(f"the block has lasted for more than {timeout} s")

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def ps() -> Any:
    """The process, as psutil has it; None where psutil is not installed."""
    try:
        import psutil  # type: ignore[import-untyped, import-not-found, unused-ignore]  # whoever has it
    except ImportError:
        return None
    return psutil.Process()


def mem_rss() -> str | None:
    """The memory that the process uses, for a person; None where psutil is not installed."""
    process = ps()
    return None if process is None else humanbytes(process.memory_info().rss)


def sample_mem() -> str | None:
    """`mem_rss`, kept for `memdump`."""
    now = mem_rss()
    if now is not None:
        _samples.append(now)
    return now


def memdump(samples: int = 10, file: Any = None) -> None:
    """Print what `sample_mem` has seen, so many of them, and what is used now; the samples are forgotten."""
    seen, now = list(_samples), mem_rss()
    _samples.clear()
    if now is None:
        print("memory is not measured: psutil is not installed", file=file)  # it is asked to
        return
    for each in sample(seen, samples):
        print(f"- rss (sample): {each}.", file=file)  # as above
    print(f"- rss (end): {now}.", file=file)  # as above


def sample(x: Sequence[Any], n: int, k: int = 0) -> Iterator[Any]:
    """`n` items of a sequence, evenly apart, from number `k` on."""
    step = max(1, len(x) // n)
    return iter(x[k::step][:n])


def humanbytes(s: float) -> str:
    """So many bytes, for a person."""
    for unit, size in _UNITS:
        if s >= size:
            return f"{s / size:.{0 if unit == 'KB' else 1}f}{unit}"
    return f"{s:g}b"


def cry(out: Any = None, sepchr: str = "=", seplen: int = 49) -> str:
    """Where each thread is; written to `out`, where one is given, and returned."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    text, line = StringIO(), sepchr * seplen
    for ident, frame in sys._current_frames().items():
        if ident in names:
            print(names[ident], line, "".join(traceback.format_stack(frame)), line, sep="\n", file=text)  # into text
    if out is not None:
        out.write(text.getvalue())
    return text.getvalue()


__all__ = ["blockdetection", "cry", "humanbytes", "mem_rss", "memdump", "ps", "sample", "sample_mem"]
