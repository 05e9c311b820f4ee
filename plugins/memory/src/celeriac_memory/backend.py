"""The in-memory result store as a driver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from celeriac.contracts import Backend, ChordPart, ChordStore, NewChord, ResultWatcher, StoredResult, Turn
from celeriac_memory.chords import Member
from celeriac_memory.ownership import address_of_url
from celeriac_memory.primitives import MemoryPrimitives, shelf_at
from celeriac_memory.results import Record, ResultStore, results_at


class MemoryBackend(Backend, ChordStore, MemoryPrimitives):
    """Results for as long as the process lives; kept encoded, so that what works here works on any other store."""

    persistent: ClassVar[bool] = False

    def __init__(self, app: Any, url: str) -> None:
        super().__init__(app, url)
        self._results = results_at(address_of_url(url))
        self._shelf = shelf_at(address_of_url(url))

    def store(self, results: Sequence[StoredResult]) -> None:
        self._results.put([self._encode(result) for result in results])

    def fetch(self, task_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        return {record.task_id: self._decode(record) for record in self._results.get(task_ids)}

    def delete(self, task_ids: Sequence[str]) -> None:
        self._results.delete(task_ids)

    def store_group(self, group_id: str, meta: dict[str, Any], expires: float | None = None) -> None:
        content_type, _, data = self.app.serializers.encode(meta, self.app.conf.result_serializer)
        self._results.put_group(Record(group_id, "", content_type, data, self._expiry(expires)))

    def fetch_group(self, group_id: str) -> dict[str, Any] | None:
        record = self._results.get_group(group_id)
        return None if record is None else self._decode(record)

    def delete_group(self, group_id: str) -> None:
        self._results.delete_group(group_id)

    def watch(self) -> ResultWatcher:
        return MemoryWatcher(self._results, self._decode)

    def cleanup(self) -> None:
        self._results.sweep()

    # -- chords -------------------------------------------------------------------------------------------------------

    def start_chords(self, chords: Sequence[NewChord]) -> None:
        for chord in chords:
            self._results.start_chord(chord.group_id, chord.size, chord.body, self._chord_expiry(chord.expires))

    def grow_chord(self, group_id: str, count: int = 1) -> None:
        self._results.grow_chord(group_id, count, self._chord_expiry(None))

    def store_with_parts(self, results: Sequence[StoredResult], parts: Sequence[ChordPart]) -> dict[str, Turn]:
        # All is encoded before anything is kept.
        members = [(part.group_id, self._encode_part(part)) for part in parts]
        return self._results.put_with_parts(
            [self._encode(result) for result in results], members, self._chord_expiry(None)
        )

    def claim_chord(self, group_id: str) -> Turn | None:
        return self._results.claim_chord(group_id)

    def read_chord(self, group_id: str) -> tuple[dict[str, Any] | None, list[tuple[str, str, Any]]]:
        body, members = self._results.read_chord(group_id)
        decode = self.app.serializers.decode_result
        return body, [(each.task_id, each.state, decode(each.data, each.content_type)) for each in members]

    def end_chords(self, group_ids: Sequence[str]) -> None:
        self._results.end_chords(group_ids)

    def admit(self, call: str, token: str) -> bool:
        return self._results.admit(call, token, self._chord_expiry(None))

    def _encode_part(self, part: ChordPart) -> Member:
        content_type, _, data = self.app.serializers.encode(part.result, self.app.conf.result_serializer)
        return Member(part.task_id, part.place, part.state, content_type, data)

    def _chord_expiry(self, seconds: float | None) -> float | None:
        return self._expiry(self.app.conf.result_chord_expires if seconds is None else seconds)

    # -- encoding -----------------------------------------------------------------------------------------------------

    def _encode(self, result: StoredResult) -> Record:
        content_type, _, data = self.app.serializers.encode(result.meta, self.app.conf.result_serializer)
        return Record(result.task_id, result.state, content_type, data, self._expiry(result.expires))

    def _decode(self, record: Record) -> dict[str, Any]:
        meta: dict[str, Any] = self.app.serializers.decode_result(record.data, record.content_type)
        return meta

    def _expiry(self, seconds: float | None) -> float | None:
        kept: Any = self.app.conf.result_expires if seconds is None else seconds
        if isinstance(kept, timedelta):
            kept = kept.total_seconds()
        return time.monotonic() + kept if kept else None


class MemoryWatcher(ResultWatcher):
    """Woken by the thread that stores a result."""

    shareable: ClassVar[bool] = True

    def __init__(self, results: ResultStore, decode: Callable[[Record], dict[str, Any]]) -> None:
        self._results = results
        self._decode = decode
        self._watch = results.open_watch()

    def add(self, task_ids: Iterable[str]) -> None:
        self._results.widen(self._watch, task_ids)

    def discard(self, task_ids: Iterable[str]) -> None:
        self._results.narrow(self._watch, task_ids)

    def wake(self) -> None:
        self._results.wake(self._watch)

    def wait(self, timeout: float | None) -> list[dict[str, Any]]:
        return [self._decode(record) for record in self._results.changes(self._watch, timeout)]

    def close(self) -> None:
        self._results.close_watch(self._watch)
