"""The results of one app: stored, found, waited for."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from celeriac import states
from celeriac.contracts.backend import Backend, StoredResult
from celeriac.contracts.chords import ChordPart, ChordStore, Turn
from celeriac.contracts.urls import scheme_of
from celeriac.exceptions import SecurityError, StoreUnavailable
from celeriac.protocol import json
from celeriac.protocol.result_expiry import RESULT_EXPIRES, kept_seconds
from celeriac.protocol.results import build_meta, encode_exception, read_meta
from celeriac.results.base import ResultBase
from celeriac.results.disabled import DisabledBackend
from celeriac.results.tuples import result_from_tuple
from celeriac.results.waiting import WaitingResults

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.app.context import Context

T = TypeVar("T")

#: How often a store that is out of reach is tried again, unless the settings say otherwise.
_TRIES: Final = 5


class Results(WaitingResults):
    """Stands between the app and its result store."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._lock = threading.Lock()
        self._backend: Backend | None = None
        #: The stores that tasks name, and the results of each.
        self._named: dict[Any, Backend] = {}
        self._others: weakref.WeakKeyDictionary[Backend, Results] = weakref.WeakKeyDictionary()
        super().__init__()
        ref = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _after_fork(ref))

    @property
    def backend(self) -> Backend:
        """The result store that ``result_backend`` names; one that stores nothing where it is unset.

        Raises `PluginNotFound` for a scheme that nobody serves.
        """
        if self._backend is None:
            with self._lock:
                if self._backend is None:
                    self._backend = self._make(self.app.conf.result_backend)
        return self._backend

    def _make(self, named: Any) -> Backend:
        if not named or named in {"disabled", "disabled://"}:
            return DisabledBackend(self.app, "disabled://")
        if isinstance(named, Backend):
            return named
        if isinstance(named, type):
            made: Backend = named(self.app, "")
            return made
        driver: type[Backend] = self.app.plugins.driver("backend", scheme_of(named))
        return driver(self.app, named)

    def of(self, backend: Backend | type[Backend] | str | None) -> Results:
        """These, or those of another result store of the same app: itself, its URL or its class.

        Raises `PluginNotFound` for a scheme that nobody serves.
        """
        if backend is None or backend is self._backend:
            return self
        if not isinstance(backend, Backend):
            if backend == self.app.conf.result_backend:
                return self
            with self._lock:
                if backend not in self._named:
                    self._named[backend] = self._make(backend)
                backend = self._named[backend]
        with self._lock:
            found = self._others.get(backend)
            if found is None:
                found = self._others[backend] = Results(self.app)
                found._backend = backend
            return found

    def of_task(self, task: Any) -> Results:
        """Where the results of `task`, or of a class of tasks, are: in the store that it names, else these.

        `task` may be None, for one that is not known here.  Raises as `of`.
        """
        return self if task is None else self.of(task._named_backend)

    def after_fork(self) -> None:
        """In a forked child: leave the parent's connections alone."""
        self._lock = threading.Lock()
        self.wait_anew()
        if self._backend is not None:
            self._backend.after_fork()

    @cached_property
    def _extended(self) -> bool:
        return bool(self.app.conf.result_extended)

    @property
    def _writing(self) -> Callable[[Any], object]:
        """What tells whether an argument of an error can be stored."""
        serializer = self.app.serializers.get(self.app.conf.result_serializer)
        return json.dumps if serializer.content_type == "application/json" else serializer.dumps

    # -- storing ------------------------------------------------------------------------------------------------------

    def entry(
        self, task_id: str, state: str, result: Any, traceback: str | None = None, request: Context | None = None
    ) -> StoredResult:
        """What is to be stored of a task in `state`.  An exception becomes the map of the wire."""
        result = self.written(result) if isinstance(result, BaseException) else self.storable(result)
        done = datetime.now(UTC).isoformat() if state in states.READY_STATES else None
        if request is None:
            return StoredResult(task_id, state, build_meta(task_id, state, result, traceback, None, done))
        extended = self._extension(request) if self._extended or request.stamped_headers else None
        children = (
            [child.as_tuple() for child in request._children] if request._children else []
        )  # the public property would make the list
        meta = build_meta(task_id, state, result, traceback, children, done, request.group, request.parent_id, extended)
        expires = (request.headers or {}).get(RESULT_EXPIRES)
        return StoredResult(task_id, state, meta, kept_seconds(expires), request.reply_to)

    def storable(self, value: Any) -> Any:
        """What is stored of what a task has returned.

        Of the result of another task, as ``return add.delay()`` gives it, that is the tuple from which
        `result_from_tuple` makes it again; pickle keeps it as it is.
        """
        if isinstance(value, ResultBase) and self.app.conf.result_serializer != "pickle":
            return value.as_tuple()
        return value

    def written(self, error: BaseException) -> dict[str, Any]:
        """The map of the wire, with those of its arguments that ``result_serializer`` can write."""
        return encode_exception(error, self._writing)

    def _extension(self, request: Context) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._extended:
            delivery = request.delivery_info or {}
            found = {
                "name": request.task,
                "args": request.args,
                "kwargs": request.kwargs,
                "worker": request.hostname,
                "retries": request.retries,
                "queue": delivery.get("routing_key"),
            }
        if request.stamped_headers:
            found["stamped_headers"] = request.stamped_headers
            found.update(request.stamps or {})
        return found

    def store_state(self, task_id: str, state: str, result: Any, **kwargs: Any) -> None:
        """Store a state now.  Raises `StoreUnavailable` when the store stays out of reach."""
        self.store([self.entry(task_id, state, result, **kwargs)])

    def store(self, results: Sequence[StoredResult]) -> None:
        """Store all in one batch, trying again as the settings say.  Raises `StoreUnavailable`."""
        self._patiently(lambda: self.backend.store(results))

    def store_with_parts(self, results: Sequence[StoredResult], parts: Sequence[ChordPart]) -> dict[str, Turn]:
        """`ChordStore.store_with_parts`, tried again as the settings say; the store must be one."""
        backend = self.backend
        assert isinstance(backend, ChordStore)
        return self._patiently(lambda: backend.store_with_parts(results, parts))

    def admit(self, call: str, token: str) -> bool:
        """`ChordStore.admit`, tried again as the settings say; the store must be one."""
        backend = self.backend
        assert isinstance(backend, ChordStore)
        return self._patiently(lambda: backend.admit(call, token))

    def _patiently(self, action: Callable[[], T]) -> T:
        """What `action` gives, tried again while the store cannot be reached.  Raises `StoreUnavailable` in the end."""
        try:
            return action()
        except StoreUnavailable as error:
            last = error
        for pause in self._pauses():
            time.sleep(pause)
            try:
                return action()
            except StoreUnavailable as error:
                last = error
        raise last

    def _pauses(self) -> Iterator[float]:
        """Seconds to wait before each further try: a few, or as many as ``result_backend_max_retries`` allows."""
        conf = self.app.conf
        pause = conf.result_backend_base_sleep_between_retries_ms / 1000
        longest = conf.result_backend_max_sleep_between_retries_ms / 1000
        left = conf.result_backend_max_retries if conf.result_backend_always_retry else _TRIES
        while left > 0:
            left -= 1
            yield pause
            pause = min(pause * 2, longest)

    # -- finding ------------------------------------------------------------------------------------------------------

    def fetch(self, task_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        """The metas of those tasks that have one.

        Raises `StoreUnavailable`, and `SecurityError` where the result of another task is in the place of one.
        """
        found = self._patiently(lambda: self.backend.fetch(task_ids))
        return {task_id: _own(task_id, read_meta(meta)) for task_id, meta in found.items()}

    def meta(self, task_id: str) -> dict[str, Any]:
        """The meta of one task; that of a pending one where nothing is known."""
        return self.fetch([task_id]).get(task_id) or pending(task_id)

    def from_tuple(self, value: Any) -> Any:
        """The result that a stored tuple stands for.  Raises `ProtocolError`."""
        return result_from_tuple(value, self.app)

    def forget(self, task_ids: Sequence[str]) -> None:
        """Remove the results from the store."""
        self._patiently(lambda: self.backend.delete(task_ids))

    # -- groups -------------------------------------------------------------------------------------------------------

    def store_group(self, group_id: str, group: Any) -> None:
        """Keep the tuple of a `GroupResult`.  Raises `StoreUnavailable`, `BackendError` in a store without groups."""
        self._patiently(lambda: self.backend.store_group(group_id, {"result": group}))

    def fetch_group(self, group_id: str) -> Any:
        """The tuple that was kept; None where there is nothing.  Raises as `store_group` does."""
        found = self._patiently(lambda: self.backend.fetch_group(group_id))
        return found["result"] if isinstance(found, Mapping) and "result" in found else None

    def delete_group(self, group_id: str) -> None:
        """Forget a kept group.  Raises as `store_group` does."""
        self._patiently(lambda: self.backend.delete_group(group_id))

    def close(self) -> None:
        """Release the connections to the store, and to those that tasks name."""
        for other in list(self._others.values()):
            other.close()
        self.end_waiting()
        if self._backend is not None:
            self._backend.close()


def _own(task_id: str, meta: dict[str, Any]) -> dict[str, Any]:
    # A signature covers the id that a result says of itself, and not where the store keeps it.
    said = meta.get("task_id")
    if said is not None and said != task_id:
        raise SecurityError(f"the result store has the result of task {said!r:.100} where that of {task_id} should be")
    return meta


def pending(task_id: str) -> dict[str, Any]:
    """The meta of a task of which nothing is known."""
    return {"status": states.PENDING, "result": None, "traceback": None, "children": None, "task_id": task_id}


def _after_fork(ref: weakref.ref[Results]) -> None:
    results = ref()
    if results is not None:
        results.after_fork()
