"""A file of checked lines that is only ever added to, or replaced as a whole: it can be cut at any byte."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Final
from zlib import crc32

from celeriac.exceptions import ImproperlyConfigured

logger = logging.getLogger("celeriac.beat")

_HEADER: Final = {"celeriac beat": 1}


class Record:
    """What is known by name: the last line about a name counts.  A line that is cut or changed is passed over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self._lock: int | None = None
        #: Lines that were added since all was written.
        self.added = 0

    def claim(self) -> None:
        """Keep other processes off until `release`, or the end of this one: two beats would send each task twice.

        Raises `ImproperlyConfigured` where another has it.
        """
        if self._lock is not None:
            return
        try:
            # Beside the file, which is replaced by others of its name.
            lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            # Of the process: its children have no part in it.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            owner = os.read(lock, 32).decode(errors="replace").strip()
            os.close(lock)
            raise ImproperlyConfigured(
                f"another beat, process {owner}, uses the file of the schedule {self.path}: stop that, name another "
                "file with --schedule, or have both share a schedule: --scheduler store"
            ) from None
        except OSError as error:  # not every file system has locks
            logger.debug("%s cannot be locked: %s", self.path, error)
        self._lock = lock
        with contextlib.suppress(OSError):
            os.ftruncate(lock, 0)
            os.write(lock, b"%d\n" % os.getpid())

    def release(self) -> None:
        """Let others use the file; tolerates never claimed and twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self) -> dict[str, dict[str, Any]]:
        """What is known.  A file of another program is moved aside.  Raises `ImproperlyConfigured`."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._unusable(error) from error
        if lines != [b""] and _parsed(lines[0]) != _HEADER:
            self._move_aside()
            return {}
        found: dict[str, dict[str, Any]] = {}
        for line in lines[1:]:
            known = _parsed(line)
            if known is not None and isinstance(name := known.pop("name", None), str):
                found[name] = known
        return found

    def add(self, items: Mapping[str, Mapping[str, Any]]) -> None:
        """Add lines: they survive the end of this process at once, that of the machine from the next `settle` on."""
        if self._file is None:
            self._open()
        assert self._file is not None
        try:
            self._file.write(b"".join(_lines(items)))
            self._file.flush()
        except OSError as error:
            raise self._unusable(error) from error
        self.added += len(items)

    def settle(self) -> None:
        """Have what was added survive the end of the machine."""
        if self._file is not None:
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                raise self._unusable(error) from error

    def replace(self, items: Mapping[str, Mapping[str, Any]]) -> None:
        """Have exactly this in the file.  Whoever reads it finds the old contents or the new."""
        self.close()
        beside = self.path.with_name(self.path.name + ".new")
        try:
            with beside.open("wb") as file:
                file.write(_line(_HEADER) + b"".join(_lines(items)))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
            _sync_directory(self.path.parent)
        except OSError as error:
            raise self._unusable(error) from error
        self.added = 0

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _open(self) -> None:
        try:
            self._file = self.path.open("ab")
            # After a crash the last line may be without its end.
            self._file.write(b"\n" if self._file.tell() else _line(_HEADER))
        except OSError as error:
            raise self._unusable(error) from error

    def _move_aside(self) -> None:
        aside = self.path.with_name(self.path.name + ".old")
        logger.warning("%s is not a schedule of Celeriac (of Celery, perhaps); it is moved to %s", self.path, aside)
        try:
            self.path.replace(aside)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> ImproperlyConfigured:
        return ImproperlyConfigured(
            f"the file of the schedule cannot be used: {self.path}: {error.strerror or error}; name another with "
            "--schedule or beat_schedule_filename"
        )


def _lines(items: Mapping[str, Mapping[str, Any]]) -> Iterable[bytes]:
    return (_line({"name": name, **known}) for name, known in items.items())


def _line(known: Mapping[str, Any]) -> bytes:
    text = json.dumps(known, separators=(",", ":")).encode()
    return b"%08x %s\n" % (crc32(text), text)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """What a line says; None for one that was cut or changed, or is none of ours."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % crc32(text):
        return None
    try:
        known = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return known if isinstance(known, dict) else None


def _sync_directory(directory: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system has it
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
