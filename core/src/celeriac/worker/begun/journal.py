"""The journal: a file that is written through memory, so that it is readable at whatever byte its writer is killed.

It begins with `MAGIC` and with whose it is.  Regions follow, one behind the other; the size of each is a power
of two and never changes.  A region in use holds a batch of messages that were begun together: what is said of them,
and a byte for each, its state.  Each step that counts is the writing of one byte:

======  ================================================================
offset  what
======  ================================================================
0       the exponent of the size; 0 where there are no more regions
1       1 while the region is in use, written after all the rest
4       number of messages, length and CRC-32 of what is said of them, length of their bodies
24      a byte for each message, then what is said of them, then the bodies
======  ================================================================
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from secrets import token_hex
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from celeriac.contracts.hosts import boot_id
from celeriac.worker.begun import entries

if TYPE_CHECKING:
    from celeriac.contracts.broker import Delivery
    from celeriac.worker.begun.directory import JournalDirectory

MAGIC: Final = b"celeriac begun 1"
_HEADER: Final = 512
#: Bytes that the name of its worker, and of the machine, may have.
_LABEL: Final = _HEADER - len(MAGIC) - 1
_FIELDS: Final = Struct("<IIIQ")
_STATES_AT: Final = 4 + _FIELDS.size
#: The exponents that a region may have: from a page to what a file may hold.
_SMALLEST: Final = 12
_LARGEST: Final = 30
#: Bytes of a file at first, by which it grows, and to which it shrinks again.
STEP: Final = 256 * 1024
#: Bytes that a file may have.
MOST: Final = 1 << _LARGEST

#: The states of a message.
ENDED: Final = 0
#: The broker may have it, or may not: it was about to be told.
DOUBTFUL: Final = 1
BEGUN: Final = 2


class Full(Exception):
    """The journal cannot grow."""


class Region:
    """A part of the file, and how many of the messages in it have not ended."""

    __slots__ = ("exponent", "left", "offset")

    def __init__(self, offset: int, exponent: int) -> None:
        self.offset = offset
        self.exponent = exponent
        self.left = 0


class Trace(NamedTuple):
    """Where a message is."""

    region: Region
    number: int


class Journal:
    """One worker's own."""

    def __init__(self, memory: Any, descriptor: int, most: int = MOST) -> None:
        """`memory` is the whole file, which `descriptor` names, and has a header by now."""
        self._memory = memory
        self._descriptor = descriptor
        self._most = most
        self._size = len(memory)
        #: Where the next region begins.
        self._end = _HEADER
        self._free: dict[int, list[Region]] = {}
        #: Regions in use.
        self._used = 0

    def __bool__(self) -> bool:
        """Whether anything in it has not ended."""
        return self._used > 0

    # -- messages -----------------------------------------------------------------------------------------------------

    def write(self, deliveries: Sequence[Delivery]) -> Region:
        """Note that these are about to begin; they are doubtful until `begun`.  Raises `Full`, and OSError."""
        try:
            return self._write(deliveries)
        except (Full, OSError):
            # Of large messages, at least who they are: their results can be stored, and listeners told.
            return self._write(entries.without_bodies(deliveries))

    def _write(self, deliveries: Sequence[Delivery]) -> Region:
        said, bodies = entries.written(deliveries)
        count = len(deliveries)
        data = b"".join((said, *bodies))
        region = self._region(_STATES_AT + count + len(data))
        memory, offset = self._memory, region.offset
        fields = _FIELDS.pack(count, len(said), crc32(said), len(data) - len(said))
        states = offset + _STATES_AT
        memory[offset + 4 : states] = fields
        memory[states : states + count] = bytes((DOUBTFUL,)) * count
        memory[states + count : states + count + len(data)] = data
        memory[offset + 1] = 1
        region.left = count
        self._used += 1
        return region

    def begun(self, region: Region) -> None:
        """The broker was told of all in the region."""
        states = region.offset + _STATES_AT
        self._memory[states : states + region.left] = bytes((BEGUN,)) * region.left

    def mark(self, traces: Iterable[Trace], state: int) -> None:
        """These are in that state, which is not `ENDED`."""
        for region, number in traces:
            self._memory[region.offset + _STATES_AT + number] = state

    def end(self, traces: Iterable[Trace]) -> None:
        """These have ended: their places may be used again."""
        memory = self._memory
        for region, number in traces:
            memory[region.offset + _STATES_AT + number] = ENDED
            region.left -= 1
            if not region.left:
                memory[region.offset + 1] = 0
                self._free.setdefault(region.exponent, []).append(region)
                self._used -= 1
        if not self._used and self._end > STEP:
            self._begin_anew()

    # -- regions ------------------------------------------------------------------------------------------------------

    def _region(self, length: int) -> Region:
        exponent = max((length - 1).bit_length(), _SMALLEST)
        free = self._free.get(exponent)
        if free:
            return free.pop()
        offset, end = self._end, self._end + (1 << exponent)
        if end > self._size:
            self._grow(end)
        memory = self._memory
        memory[offset + 1] = 0
        if end < self._size:
            memory[end] = 0
        memory[offset] = exponent
        self._end = end
        return Region(offset, exponent)

    def _grow(self, needed: int) -> None:
        size = -(-needed // STEP) * STEP
        if size > self._most:
            raise Full(f"it would be larger than {self._most >> 20} MiB")
        self._memory = grown(self._descriptor, self._memory, self._size, size)
        self._size = size

    def _begin_anew(self) -> None:
        """Nothing is in use: forget all regions, and give back what the file has grown by."""
        self._memory[_HEADER] = 0
        self._end = _HEADER
        self._free.clear()
        if self._size > STEP:
            with suppress(OSError):
                self._memory = shrunk(self._descriptor, self._memory)
                self._size = STEP


class OwnJournal(Journal):
    """A journal in a file that nobody else may inherit while this process lives."""

    def __init__(self, directory: JournalDirectory, key: str, worker: str) -> None:
        """Raises OSError."""
        name = f"{key}-{os.getpid()}-{token_hex(8)}"
        self._directory = directory
        descriptor, self._lock = directory.create(name)
        try:
            memory = grown(descriptor, None, 0, STEP)
            label = "\0".join((boot_id(), os.uname().nodename, worker)).encode("utf-8", "replace")[:_LABEL]
            memory[len(MAGIC) : len(MAGIC) + len(label)] = label
            memory[: len(MAGIC)] = MAGIC
            #: The name of the file.
            self.name = directory.publish(name)
        except BaseException:
            directory.abandon(name)
            self._lock.release()
            os.close(descriptor)
            raise
        super().__init__(memory, descriptor)

    def close(self) -> None:
        """Remove the file, unless somebody is to find what is in it.  Tolerates being called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        if not self:
            self._directory.remove(self.name)
        self._memory.close()
        os.close(descriptor)
        self._lock.release()


def grown(descriptor: int, memory: Any, size: int, wanted: int) -> Any:
    """The file in memory, with so many bytes in place of `size`.

    They are written, not only promised: writing to memory for which the disk has no room would kill the process.
    Raises OSError, and then all is as it was.
    """
    try:
        at = size
        while at < wanted:
            at += os.pwrite(descriptor, bytes(min(STEP, wanted - at)), at)
        larger = mmap.mmap(descriptor, wanted)
    except BaseException:
        os.ftruncate(descriptor, size)
        raise
    if memory is not None:
        memory.close()
    return larger


def shrunk(descriptor: int, memory: Any) -> Any:
    """The first step of the file in memory, and nothing more of it.  Raises OSError, and then all is as it was."""
    smaller = mmap.mmap(descriptor, STEP)
    memory.close()
    os.ftruncate(descriptor, STEP)
    return smaller


# -- reading -----------------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """A message that had not ended when its worker died."""

    trace: Trace
    state: int
    delivery: Delivery


class Owner(NamedTuple):
    """Whose journal it is."""

    boot: str
    node: str
    worker: str

    @property
    def was_here(self) -> bool:
        """Whether it ran on this machine, or on one of its name: then the lock tells whether it lives.

        Of another machine, with which a file system is shared, it may tell nothing.
        """
        return self.boot == boot_id() or self.node == os.uname().nodename


def owner_of(memory: Any) -> Owner:
    """Whose journal it is.  Raises ValueError for what is none."""
    if memory[: len(MAGIC)] != MAGIC or len(memory) < _HEADER:
        raise ValueError("it does not begin as a journal does")
    label = bytes(memory[len(MAGIC) : _HEADER]).decode("utf-8", "replace").split("\0")
    if len(label) <= len(Owner._fields):
        raise ValueError("it does not say whose it is")
    return Owner(*label[: len(Owner._fields)])


def unended(memory: Any) -> Iterator[Found]:
    """What had not ended, region by region.  Raises ValueError where a region cannot be read."""
    offset, size = _HEADER, len(memory)
    while offset + _STATES_AT <= size and (exponent := memory[offset]):
        end = offset + (1 << exponent) if _SMALLEST <= exponent <= _LARGEST else size + 1
        if end > size or memory[offset + 1] > 1:
            raise ValueError(f"no region can begin at {offset} as that does")
        if memory[offset + 1]:
            yield from _in_region(memory, offset, end, exponent)
        offset = end


def _in_region(memory: Any, offset: int, end: int, exponent: int) -> Iterator[Found]:
    at = offset + _STATES_AT
    count, said_length, checksum, bodies_length = _FIELDS.unpack(memory[offset + 4 : at])
    if at + count + said_length + bodies_length > end or not count:
        raise ValueError(f"the region at {offset} says that it holds more than fits")
    states = memory[at : at + count]
    at += count
    said, bodies = memory[at : at + said_length], memory[at + said_length : at + said_length + bodies_length]
    if crc32(said) != checksum:
        raise ValueError(f"what is said in the region at {offset} is not what was written")
    if max(states) > BEGUN:
        raise ValueError(f"a message in the region at {offset} is in no state that there is")
    region = Region(offset, exponent)
    region.left = count - states.count(ENDED)
    for number, (state, delivery) in enumerate(zip(states, entries.read(said, bodies, count), strict=True)):
        if state != ENDED:
            yield Found(Trace(region, number), state, delivery)
