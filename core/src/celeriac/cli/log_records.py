"""Reads the logs of workers: Celeriac's and Celery's lines, and JSON; what each record says of a task."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

#: How a record begins, by the default formats of both.
_HEAD: Final = re.compile(r"\[\d{4}-\d\d-\d\d[^\]]*?: (?P<level>[A-Z]+)/[^\]]*\] (?P<message>.*)")
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_TASK: Final = r"(?P<name>[^\s\[\]]+)\[(?P<id>[^\s\[\]]+)\]"


class Event(StrEnum):
    """What a record says of a task."""

    RECEIVED = "received"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRIED = "retried"
    #: Ended in another way: revoked, expired, ignored, rejected.
    OTHER = "other"


#: Ours first: `Task add[id] ended: failure: ...`.
_EVENTS: Final[tuple[tuple[re.Pattern[str], Event], ...]] = tuple(
    (re.compile(pattern.replace("TASK", _TASK)), event)
    for pattern, event in (
        (r"Task TASK received", Event.RECEIVED),
        (r"Received task: TASK", Event.RECEIVED),
        (r"Task TASK succeeded in (?P<runtime>[\d.e+-]+)s", Event.SUCCEEDED),
        (
            r"Task TASK ended: (?:failure|[\w-]*-limit|worker-lost|store-failed|invalid)\b",
            Event.FAILED,
        ),
        (r"Task TASK ended: retry\b", Event.RETRIED),
        (r"Task TASK ended: ", Event.OTHER),
        (r"Task TASK raised ", Event.FAILED),
        (r"Task TASK INTERNAL ERROR", Event.FAILED),
        (r"Task TASK retry: ", Event.RETRIED),
        (r"Task TASK (?:ignored|rejected)", Event.OTHER),
        (r"Discarding [\w-]+ task: TASK", Event.OTHER),
    )
)


@dataclass(slots=True)
class Record:
    """One record: `message` is its first line, `more` those after it, `lines` all as they stand in the file."""

    level: str
    message: str
    more: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    event: Event | None = None
    task: str = ""
    task_id: str = ""
    runtime: float | None = None

    @property
    def is_error(self) -> bool:
        """Whether its level says so."""
        return self.level in {"ERROR", "CRITICAL"}

    @property
    def has_traceback(self) -> bool:
        """Whether it has a traceback."""
        return any(line.startswith("Traceback ") for line in self.more)


def records(lines: Iterable[str]) -> Iterator[Record]:
    """The records in the lines of a log; lines before the first are passed over."""
    current: Record | None = None
    for raw in lines:
        line = raw.rstrip("\r\n")
        begun = _begun(_COLOURS.sub("", line))
        if begun is not None:
            if current is not None:
                yield current
            current = begun
        elif current is not None:
            current.more.append(line)
        if current is not None:
            current.lines.append(line)
    if current is not None:
        yield current


def _begun(line: str) -> Record | None:
    if line.startswith("{"):
        return _from_json(line)
    found = _HEAD.match(line)
    return None if found is None else _understood(Record(found["level"], found["message"]))


def _from_json(line: str) -> Record | None:
    try:
        fields = json.loads(line)
        record = Record(fields["level"], str(fields["message"]))
    except (ValueError, LookupError, TypeError):
        return None
    record.more += str(fields.get("exception") or "").splitlines()
    return _understood(record)


def _understood(record: Record) -> Record:
    for pattern, event in _EVENTS:
        found = pattern.search(record.message)
        if found is not None:
            record.event, record.task, record.task_id = event, found["name"], found["id"]
            record.runtime = float(found["runtime"]) if "runtime" in found.groupdict() else None
            break
    return record
