"""A file of checked lines that is only ever added to, or replaced as a whole: it can be cut at any byte."""

from __future__ import annotations

import contextlib
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
        #: Lines that were added since all was written.
        self.added = 0

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
