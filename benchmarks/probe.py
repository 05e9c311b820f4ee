"""What a no-op task does: count itself, in one mmap slot per thread that the driver polls.

A slot holds (count, first_ns, last_ns) on CLOCK_MONOTONIC, which all processes of one machine share. `touch()` costs
less than 2 us (see `python probe.py`). Standard library only, so that it can be imported from every peer's environment.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
import threading
import time
from pathlib import Path

HEADER = 8
SLOT = struct.Struct("=QQQ")
NEXT = struct.Struct("=Q")
SLOTS = 65536
SIZE = HEADER + SLOTS * SLOT.size

_maps: list[mmap.mmap] = []
_here = threading.local()
_now = time.monotonic_ns


def create(path: Path) -> Path:
    """(Re)make a file of slots, all zero; the old inode is left to old workers."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.truncate(SIZE)
    fresh.replace(path)
    return path


class Reader:
    def __init__(self, path: Path) -> None:
        self.file = path.open("r+b")
        self.map = mmap.mmap(self.file.fileno(), SIZE)

    def read(self) -> tuple[int, int, int]:
        """Total count, first and last nanosecond, over all slots in use."""
        used = NEXT.unpack_from(self.map, 0)[0]
        slots = [SLOT.unpack_from(self.map, HEADER + number * SLOT.size) for number in range(used)]
        touched = [slot for slot in slots if slot[0]]
        if not touched:
            return 0, 0, 0
        return sum(slot[0] for slot in touched), min(slot[1] for slot in touched), max(slot[2] for slot in touched)


def _claim() -> None:
    with Path(os.environ["BENCH_SLOTS"]).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not _maps:
            _maps.append(mmap.mmap(file.fileno(), SIZE))
        number = NEXT.unpack_from(_maps[0], 0)[0]
        NEXT.pack_into(_maps[0], 0, number + 1)
        fcntl.flock(file, fcntl.LOCK_UN)  # mmap dups the descriptor: closing is not enough
    _here.offset = HEADER + number * SLOT.size
    _here.count = 0
    _here.first = _now()


def _after_fork() -> None:
    _here.__dict__.clear()


os.register_at_fork(after_in_child=_after_fork)


def touch() -> None:
    """Count one executed task."""
    here = _here
    try:
        count = here.count + 1
    except AttributeError:
        _claim()
        count = 1
    here.count = count
    SLOT.pack_into(_maps[0], here.offset, count, here.first, _now())


if __name__ == "__main__":
    os.environ["BENCH_SLOTS"] = str(create(Path(tempfile.mkdtemp(), "slots")))
    calls, begun = 200_000, time.perf_counter()
    for _ in range(calls):
        touch()
    print(f"touch(): {(time.perf_counter() - begun) / calls * 1e9:.0f} ns")
