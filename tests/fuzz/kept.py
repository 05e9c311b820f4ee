"""What is read again at the next start, from files and stores that others may have written to."""

from __future__ import annotations

import json
from functools import cache
from types import SimpleNamespace
from typing import Any
from zlib import crc32

from celeriac import Celery, states
from celeriac.beat.entry import ScheduleEntry
from celeriac.beat.persistent import _take
from celeriac.beat.record import Record
from celeriac.beat.stored import StoredSchedule
from celeriac.canvas.aftermath import never_run
from celeriac.canvas.signature import Signature
from celeriac.contracts.primitives import StorePrimitives
from celeriac.exceptions import CeleryError, ImproperlyConfigured
from celeriac.protocol import json as wire_json
from celeriac.protocol.signatures import signatures
from celeriac.results.tuples import result_from_tuple
from celeriac.worker.revocations import Revocations
from celeriac.worker.shared_revokes import SharedRevokes
from celeriac.worker.state_file import StateFile


class _File:
    """A path at which there are these bytes."""

    name = "file"

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_bytes(self) -> bytes:
        return self._data

    def with_name(self, name: str) -> _File:
        return self

    def replace(self, other: Any) -> None:
        """It is moved aside."""


class _Store(StorePrimitives):
    """A store that has the same under every key.  Of the primitives it needs those that read."""

    data = b""

    def get_values(self, keys: Any) -> dict[str, bytes]:
        return dict.fromkeys(keys, self.data)


_Store.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


@cache
def app() -> Celery:
    made = Celery("fuzz-kept", broker="memory://", backend="disabled://", set_as_current=False)
    made.conf.timezone = "UTC"
    return made


@cache
def canvas_app() -> Celery:
    """One with a store, in which the steps of chains could be kept."""
    return Celery("fuzz-canvas", broker="memory://", backend="memory://", set_as_current=False)


def state_file(data: bytes) -> Any:
    """The file of a worker."""
    revocations = Revocations()
    file = StateFile("file", app(), revocations)
    file.path = _File(data)  # type: ignore[assignment]  # for which nothing is written
    file.read()
    json.dumps([revocations.ids.items(), revocations.stamps.items(), app().clock.value])
    return revocations


def schedule_file(data: bytes) -> Any:
    """The file of beat, each of whose lines gets the checksum that it should have; nothing may be raised for it."""
    head, *lines = data.split(b"\n")
    whole = b"\n".join([b"%08x %s" % (crc32(line), line) for line in (head, *lines)])
    record = Record(_File(whole))  # type: ignore[arg-type]  # as above
    found = record.read()
    entry = ScheduleEntry("e", "t", schedule=10, app=app())
    for known in found.values():
        _take(entry, known)
        entry.is_due()
    return found


@cache
def schedule() -> StoredSchedule:
    return StoredSchedule(app(), _Store())


def stored_schedule(data: bytes) -> Any:
    """An entry in a store, and when it ran last."""
    stored = schedule()
    store: Any = stored.store
    store.data = data
    for state in stored.states(["e"]).values():
        assert state.last_run_at.tzinfo is not None
        assert isinstance(state.total_run_count, int)
    entries = stored.read(["e"])
    for name, found in entries.items():
        try:
            entry = stored.entry(name, found)
        except (CeleryError, ValueError, TypeError, KeyError):  # what beat leaves out an entry for
            continue
        entry.is_due()
    return entries


def revoked(data: bytes) -> Any:
    """A member of the set of what was revoked; nothing may be raised for it."""
    revocations = Revocations()
    shared = SharedRevokes(SimpleNamespace(), revocations)  # type: ignore[arg-type]  # whose store is not asked
    shared._learn(data.decode("utf-8", "replace"), 1.0)
    revocations.cover({"id": "x", "stamped_headers": ["s"], "stamps": {"s": "v"}})
    return revocations


def signature(data: bytes) -> Any:
    """A signature from a message or a store, and what a worker does with one; and the result of one."""
    value = wire_json.loads(data)
    if not isinstance(value, dict):
        return result_from_tuple(value, app())
    found = Signature.from_dict(value, app=canvas_app())
    repr(found)
    list(found.leaves())
    found.flatten_links()
    if _can_be_called(found):
        settled = found.settle({"link_error": [{"task": "t"}], "chain": [{"task": "t"}]})
        settled.result()
        list(settled.firsts())
        signatures(wire_json.loads(wire_json.dumps([found.clone(), settled])), "written")
        never_run(canvas_app(), settled, ValueError(), states.FAILURE, None)
    return found


def _can_be_called(found: Any) -> bool:
    """Whether it is more than damage that keeps it from being called: a chord without a body, an empty chain."""
    try:
        found.settle({"link": [{"task": "t"}]})
    except (TypeError, ImproperlyConfigured) as error:
        if "this chord has no body yet" in str(error) or "an empty chain cannot stand" in str(error):
            return False
        raise
    return True


def seeds(call: bytes) -> dict[str, tuple[bytes, ...]]:
    """Valid inputs of each."""
    state = {"format": "celeriac-worker-state", "version": 1, "clock": 7}
    entry = {"task": "t", "args": [1], "kwargs": {}, "options": {"queue": "q"}, "relative": False, "enabled": True}
    schedules = [
        {"type": "interval", "seconds": 10.5, "relative": True, "tz": "UTC"},
        {"type": "crontab", "minute": "*/5", "hour": "1-3,5", "day_of_week": "mon-fri", "tz": "Europe/Berlin"},
        {"type": "once", "at": "2030-01-01T00:00:00+00:00"},
    ]
    return {
        "state-file": (
            json.dumps({**state, "revoked": [["id", 1.5]], "revoked_stamps": [["n", "v", 2]]}).encode(),
            json.dumps({**state, "clock": 1e999, "revoked": [], "revoked_stamps": []}).encode(),
        ),
        "schedule-file": (
            b'{"celeriac beat":1}\n{"name":"e","last_run_at":"2030-01-01T00:00:00+00:00","total_run_count":3}\n',
            b'{"celeriac beat":1}\n{"name":"e","last_run_at":"2030-01-01T00:00:00","total_run_count":1e999}\n[]\n',
        ),
        "stored-schedule": (
            *(json.dumps({"fields": {**entry, "schedule": one}, "source": "added"}).encode() for one in schedules),
            b'["2030-01-01T00:00:00+00:00",7,["2030-01-01T00:00:00+00:00"]]',
        ),
        "revoked": (b"id", b's["name","value"]'),
        "signature": (
            call,
            b'{"task":"celery.chain","args":[],"kwargs":{"tasks":[%b,%b]},"options":{},"subtask_type":"chain",'
            b'"immutable":false}' % (call, call),
            b'{"task":"celery.chord","args":[],"kwargs":{"header":{"task":"celery.group","args":[],"kwargs":{"tasks":'
            b'[%b]},"options":{},"subtask_type":"group","immutable":false},"body":%b,"kwargs":{}},"options":{},'
            b'"subtask_type":"chord","immutable":false}' % (call, call),
            b'[["a",[["p",null],null]],[[["c",null],null]]]',
            b'{"task":"celery.chunks","args":[],"kwargs":{"task":%b,"it":[[1],[2]],"n":1},"options":{"link":[%b],'
            b'"chain":[%b],"chord":%b,"stamped_headers":["s"],"s":1,"group_index":0,"headers":{},"kept":true,'
            b'"task_id":"x"},"subtask_type":null,"immutable":true}' % ((call,) * 4),
        ),
    }
