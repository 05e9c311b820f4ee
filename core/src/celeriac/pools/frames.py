"""What a child tells its parent: length-prefixed frames on a stream."""

from __future__ import annotations

import marshal
import struct
from collections.abc import Iterable
from typing import Any, Final, Literal

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Report

#: A child is able to run jobs.
READY: Final = "ready"
#: A child receives no more jobs and ends by itself.
LEAVING: Final = "leaving"

Notice = Literal["ready", "leaving"]
#: A report in plain types: all but what `flush` has stored.
Row = tuple[int, str, float | None, str | None, bool, str | None]
#: A job that has begun, and since when (`time.monotonic`).
Begun = tuple[int, float]
#: Reports, jobs that have begun, or a word about the child itself.
Frame = list[Row] | tuple[Begun, ...] | Notice

_LENGTH: Final = struct.Struct("!I")
_KINDS: Final = {kind.value: kind for kind in OutcomeKind}


def frame_of_reports(reports: Iterable[Report]) -> bytes:
    """The frame that says how these jobs ended."""
    # marshal takes no subclass of str, so not the kind itself; `_value_` is its plain text without a descriptor call.
    rows = [
        (number, kind._value_, runtime, detail, requeue, traceback)
        for number, kind, runtime, detail, requeue, _, _, traceback in reports
    ]
    return _framed(rows)


def frame_of_notice(notice: Notice) -> bytes:
    """The frame that says something of the child itself."""
    return _framed(notice)


def frame_of_starts(begun: Iterable[Begun]) -> bytes:
    """The frame that says which jobs have begun."""
    return _framed(tuple(begun))


def report_of(row: Row) -> Report:
    """The report in one row of a frame."""
    number, kind, runtime, detail, requeue, traceback = row
    return Report(number, _KINDS[kind], runtime, detail, requeue, traceback=traceback)


def _framed(content: Any) -> bytes:
    payload = marshal.dumps(content)
    return _LENGTH.pack(len(payload)) + payload


class FrameReader:
    """Puts the pieces of a stream together."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete with `data`; what is left over waits for more."""
        if self._rest:
            data = self._rest + data
        frames: list[Frame] = []
        position = 0
        while len(data) - position >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, position)
            end = position + _LENGTH.size + length
            if end > len(data):
                break
            frames.append(marshal.loads(memoryview(data)[position + _LENGTH.size : end]))  # noqa: S302  # from our own child
            position = end
        self._rest = data[position:]
        return frames
