"""Waking those who wait: a datagram to each socket in a directory beside the file.

Nobody polls for messages. Who waits binds a socket there, named by what it waits for; who commits sends one byte to
each of them. A datagram that is lost costs half a second (`SAFETY_NET`), never a message.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
import stat
import sys
import time
from functools import partial
from pathlib import Path
from typing import Final, Literal

from celeriac_sqlite.inherited import belongs_to_this_process, release

#: Waits for messages, or for results.
Kind = Literal["w", "r"]

HAS_SOCKETS: Final = hasattr(socket, "AF_UNIX") and sys.platform != "win32"
#: How often those who wait look by themselves, in seconds.
SAFETY_NET: Final = 0.5 if HAS_SOCKETS else 0.02

#: The shortest limit of a socket's path among the platforms is 104 bytes with the terminating zero.
_LONGEST_PATH: Final = 103
#: Directories have the time stamps of the kernel's clock tick. A listing read within a few ticks of
#: the last change may lack a later change with the same stamp.
_TICKS_NS: Final = 50_000_000


def wake_directory(path: Path) -> Path:
    """Where the sockets of `path` are: beside it, or in the temporary directory where that path would be too long."""
    real = Path(os.path.realpath(path))
    beside = real.with_name(real.name + ".wake")
    # a socket's name has 13 characters more
    if len(os.fsencode(beside)) + 14 <= _LONGEST_PATH:
        return beside
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:20]
    # Not tempfile's: TMPDIR may differ between a worker and a producer, who must meet.
    return Path("/tmp") / f"celeriac-{os.getuid()}-{name}"  # noqa: S108  # ownership and mode are checked


def _made(directory: Path) -> bool:
    """Make the directory; whether it is there and nobody else can write to it."""
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700)
    try:
        found = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


class Listener:
    """A socket that becomes readable when someone has committed something of its kind."""

    def __init__(self, path: Path, kind: Kind) -> None:
        self._socket: socket.socket | None = None
        self._address: str | None = None
        if not HAS_SOCKETS:
            return
        directory = wake_directory(path)
        if not _made(directory):
            return
        self._address = str(directory / f"{kind}{secrets.token_hex(6)}")
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        bound.setblocking(False)
        try:
            bound.bind(self._address)
        except OSError:  # a full disk, a file system without sockets: the safety net remains
            bound.close()
            return
        self._socket = bound
        #: For those who forget `close`.
        self._release = release(self, partial(_unbind, bound, self._address), bound.close)
        belongs_to_this_process(self)

    def fileno(self) -> int | None:
        """The descriptor to watch, or None where there are no sockets."""
        return None if self._socket is None else self._socket.fileno()

    def clear(self) -> None:
        """Take what has arrived."""
        if self._socket is None:
            return
        try:
            while True:
                self._socket.recv(16)
        except OSError:  # BlockingIOError: that was the last
            return

    def wait(self, seconds: float) -> None:
        """Block until woken, at most so long."""
        if self._socket is None:
            time.sleep(seconds)
            return
        # Not select(), which refuses descriptors from 1024 on.
        self._socket.settimeout(seconds)
        with contextlib.suppress(OSError):  # TimeoutError
            self._socket.recv(16)
        self._socket.setblocking(False)
        self.clear()

    def ring(self) -> None:
        """Wake whoever waits here; from any thread."""
        address = self._address
        if self._socket is None or address is None:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # a full buffer wakes as well
            sender.sendto(b"!", address)

    def close(self) -> None:
        """Stop listening; harmless when repeated."""
        if self._socket is not None:
            self._release()
            self._socket = None

    def disown(self) -> None:
        """Called in a child: the socket stays the parent's."""
        if self._socket is not None:
            self._release.detach()  # the address is the parent's, too
            self._socket.close()
            self._socket = None


def _unbind(bound: socket.socket, address: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(address)
    bound.close()


class Bell:
    """Wakes everyone who listens for one kind; never blocks and never fails."""

    def __init__(self, path: Path, kind: Kind) -> None:
        self._directory = str(wake_directory(path)) if HAS_SOCKETS else ""
        self._kind = kind
        self._addresses: list[str] = []
        self._listed_ns = -1
        self._socket: socket.socket | None = None
        if HAS_SOCKETS:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            #: For those who forget `close`.
            self._release = release(self, self._socket.close, self._socket.close)
            belongs_to_this_process(self)

    def ring(self) -> None:
        """Send to all; whoever has not yet looked at an earlier datagram needs no other."""
        if self._socket is None:
            return
        try:
            changed_ns = os.stat(self._directory).st_mtime_ns
        except OSError:  # nobody has ever listened
            return
        if changed_ns != self._listed_ns:
            self._list(changed_ns)
        for address in self._addresses:
            try:
                self._socket.sendto(b"!", address)
            except BlockingIOError:  # its buffer is full, so it will wake
                continue
            except ConnectionRefusedError:  # its process has died
                with contextlib.suppress(OSError):
                    os.unlink(address)
            except OSError:  # gone in the meantime
                self._listed_ns = -1

    def _list(self, changed_ns: int) -> None:
        try:
            names = os.listdir(self._directory)
        except OSError:
            names = []
        self._addresses = [os.path.join(self._directory, name) for name in names if name.startswith(self._kind)]
        self._listed_ns = changed_ns if time.time_ns() - changed_ns > _TICKS_NS else -1

    def close(self) -> None:
        """Release the socket; harmless when repeated."""
        if self._socket is not None:
            self._release()
            self._socket = None

    def disown(self) -> None:
        """Called in a child: a socket that only sends needs no care, but is the parent's."""
        self.close()
