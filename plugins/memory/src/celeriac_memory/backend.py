"""The in-memory result store as a driver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from celeriac.contracts import Backend, ResultWatcher, StoredResult
from celeriac_memory.ownership import address_of_url
from celeriac_memory.results import Record, ResultStore, results_at


class MemoryBackend(Backend):
    """Results for as long as the process lives; kept encoded, so that what works here works on any other store."""

    persistent: ClassVar[bool] = False

    def __init__(self, app: Any, url: str) -> None:
        super().__init__(app, url)
        self._results = results_at(address_of_url(url))

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
