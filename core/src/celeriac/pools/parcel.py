"""Jobs as they travel to a child: one datagram each, with a file beside it where the job is big."""

from __future__ import annotations

import array
import errno
import marshal
import os
import socket
import tempfile
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from celeriac.contracts.pool import Job
from celeriac.pools.plain import plain

#: Jobs up to so many bytes travel inside their datagram; it must be well below any socket's buffer.
INLINE_LIMIT: Final = 64 * 1024

_DESCRIPTOR_SIZE: Final = array.array("i").itemsize
#: How much to receive at once: a datagram, and the descriptor that may come with it.
DATAGRAM_SIZE: Final = INLINE_LIMIT + 1
ANCILLARY_SIZE: Final = socket.CMSG_SPACE(_DESCRIPTOR_SIZE)


class Parcel(NamedTuple):
    """One packed job.  `file` is an open descriptor that holds the packed job where `data` only says its number."""

    number: int
    data: bytes
    file: int | None = None

    def close(self) -> None:
        """Let go of the file, if there is one."""
        if self.file is not None:
            os.close(self.file)


def pack(job: Job) -> Parcel:
    """Raises `OSError` where a big job finds no room in memory or on disk."""
    try:
        data = marshal.dumps(tuple(job))
    except ValueError:  # a header that came as a richer type
        data = marshal.dumps(plain(tuple(job)))
    if len(data) <= INLINE_LIMIT:
        return Parcel(job.number, data)
    return Parcel(job.number, marshal.dumps(job.number), file_with(data))


def in_file(parcel: Parcel) -> Parcel:
    """The same job with its content in a file, for a socket that would not take the datagram."""
    if parcel.file is not None:
        return parcel
    return Parcel(parcel.number, marshal.dumps(parcel.number), file_with(parcel.data))


def number_in(data: bytes) -> int:
    """The number of the job in a datagram."""
    content: Any = marshal.loads(data)  # noqa: S302  # written by our own process, a moment ago
    return content if type(content) is int else content[0]


def unpack(data: bytes, files: Sequence[int]) -> Job:
    """The job that came as `data` with `files`, which are closed.

    Raises `OSError` where its file is missing: this process may open no more, so the kernel has dropped it.
    """
    content: Any = marshal.loads(data)  # noqa: S302  # written by our own parent
    if files:
        content = marshal.loads(content_of(files[0]))  # noqa: S302  # likewise
    elif type(content) is int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return Job._make(content)


def file_with(data: bytes) -> int:
    """The descriptor of an anonymous file, in memory where the system can, that holds `data`.  Raises `OSError`."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("celeriac-job", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile(prefix="celeriac-job-") as unlinked:
            file = os.dup(unlinked.fileno())
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
    except BaseException:
        os.close(file)
        raise
    return file


def content_of(file: int) -> bytes:
    """What is in such a file, which is closed.  Raises `OSError`."""
    # By position: whoever else holds the file shares its offset with us.
    try:
        size = os.fstat(file).st_size
        chunks = []
        position = 0
        while position < size:
            chunk = os.pread(file, size - position, position)
            if not chunk:
                break
            chunks.append(chunk)
            position += len(chunk)
        return b"".join(chunks)
    finally:
        os.close(file)


def descriptors_in(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """The descriptors that came along with a datagram."""
    found: array.array[int] = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % _DESCRIPTOR_SIZE])
    return list(found)
