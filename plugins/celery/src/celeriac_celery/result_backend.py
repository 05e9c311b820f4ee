"""Result stores that were written for Celery (``celery.backends.base``): the base class turns ours into theirs."""

from __future__ import annotations

import time
from abc import ABCMeta
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from kombu.exceptions import EncodeError
from kombu.utils.imports import symbol_by_name

from celeriac.contracts import Backend as Contract
from celeriac.contracts import ResultWatcher, StoredResult
from celeriac.exceptions import BackendError, SerializationError, StoreUnavailable
from celeriac.protocol.results import encode_exception

PENDING: Final = "PENDING"
SUCCESS: Final = "SUCCESS"
_READY: Final = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
#: The shortest pause between two looks for results, in seconds; it grows to `subpolling_interval`.
_SHORTEST: Final = 0.01
_INTERVAL: Final = 0.5
_NOTE: Final = "celeriac_note"
_PLAIN: Final = frozenset(
    {"status", "result", "traceback", "children", "date_done", "task_id", "parent_id", "group_id"}
)
#: What ``result_extended`` adds.
_EXTENDED: Final = ("task", "args", "kwargs", "hostname", "retries")


class _Made(ABCMeta):
    """Our drivers are made of an app and a URL, Celery's by keywords."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 2 and not kwargs:
            return super().__call__(app=args[0], url=args[1])
        return super().__call__(*args, **kwargs)


class StoredRequest:
    """What is known, where a result is stored, of the message of its task."""

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self.id = meta.get("task_id")
        self.task = meta.get("name")
        self.args = meta.get("args")
        self.kwargs = meta.get("kwargs")
        self.argsrepr = self.kwargsrepr = None
        self.hostname = meta.get("worker")
        self.retries = meta.get("retries")
        self.delivery_info = {"routing_key": meta.get("queue")}
        self.group = meta.get("group_id")
        self.parent_id = meta.get("parent_id")
        self.children = meta.get("children") or []
        self.chord = None
        self.meta: dict[str, Any] = {}


class BaseBackend(Contract, metaclass=_Made):
    """A store that has `_store_result`, `_get_task_meta_for` and what else Celery's have; subclasses say how."""

    READY_STATES = _READY
    UNREADY_STATES = frozenset({"PENDING", "RECEIVED", "STARTED", "REJECTED", "RETRY"})
    EXCEPTION_STATES = frozenset({"RETRY", "FAILURE", "REVOKED"})
    TimeoutError = TimeoutError
    #: The longest pause between two looks for results, in seconds.
    subpolling_interval: ClassVar[float | None] = None
    supports_native_join: ClassVar[bool] = False
    supports_autoexpire: ClassVar[bool] = False
    retry_policy: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        app: Any,
        serializer: str | None = None,
        max_cached_results: int | None = None,
        accept: Any = None,
        expires: Any = None,
        expires_type: Any = None,
        url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(app, url or "")
        conf = app.conf
        self.serializer: str = serializer or conf.result_serializer
        self.expires = self.prepare_expires(expires, expires_type)
        self.accept = accept or conf.result_accept_content or conf.accept_content
        self.always_retry = conf.result_backend_always_retry
        self.options = kwargs

    def prepare_expires(self, value: Any, type: Any = None) -> Any:
        """How long results are kept: as given, or as ``result_expires`` says."""
        if value is None:
            value = self.app.conf.result_expires
        if isinstance(value, timedelta):
            value = value.total_seconds()
        return type(value) if value is not None and type else value

    # -- encoding -----------------------------------------------------------------------------------------------------

    @property
    def content_type(self) -> str:
        """What is written."""
        found: str = self.app.serializers.get(self.serializer).content_type
        return found

    @property
    def content_encoding(self) -> str:
        """``utf-8`` for text, ``binary`` for other."""
        found: str = self.app.serializers.get(self.serializer).content_encoding
        return found

    def _encode(self, data: Any) -> tuple[str, str, Any]:
        kind, encoding, payload = self.app.serializers.encode(data, self.serializer)
        return kind, encoding, payload if encoding == "binary" else payload.decode(encoding)

    def encode(self, data: Any) -> Any:
        """Bytes, or text where the serializer writes text."""
        return self._encode(data)[2]

    def decode(self, payload: Any) -> Any:
        """The value of what `encode` has made; None of None."""
        if payload is None:
            return None
        data = payload.encode() if isinstance(payload, str) else bytes(payload)
        return self.app.serializers.decode_result(data, self.content_type)

    def encode_result(self, result: Any, state: str) -> Any:
        """An exception becomes the map that stands for it."""
        return self.prepare_exception(result) if isinstance(result, BaseException) else result

    def prepare_exception(self, exc: BaseException, serializer: str | None = None) -> dict[str, Any]:
        """The map that stands for an exception."""
        return encode_exception(exc)

    def meta_from_decoded(self, meta: Any) -> Any:
        """The meta as it was stored: whoever asks for it makes exceptions of maps."""
        return meta

    def current_task_children(self, request: Any = None) -> list[Any]:
        """The results of what the task has sent, as tuples."""
        children = getattr(request, "children", None) or []
        return [child.as_tuple() if hasattr(child, "as_tuple") else child for child in children]

    def _get_result_meta(
        self, result: Any, state: str, traceback: Any, request: Any, format_date: bool = True, encode: bool = False
    ) -> dict[str, Any]:
        done = self.app.now() if state in _READY else None
        more: dict[str, Any] = {}
        if request is not None and request.group:
            more["group_id"] = request.group
        if request is not None and request.parent_id:
            more["parent_id"] = request.parent_id
        if request is not None and self.app.conf.result_extended:
            name, args, kwargs, worker, retries = (getattr(request, each, None) for each in _EXTENDED)
            queue = (getattr(request, "delivery_info", None) or {}).get("routing_key")
            more |= {"name": name, "args": args, "kwargs": kwargs, "worker": worker, "retries": retries, "queue": queue}
        return {
            "status": state,
            "result": self.encode_result(result, state) if encode else result,
            "traceback": traceback,
            "children": self.current_task_children(request),
            "date_done": done.isoformat() if format_date and done is not None else done,
            **more,
        }

    # -- what a subclass says -----------------------------------------------------------------------------------------

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> Any:
        raise NotImplementedError(f"{type(self).__name__} stores no results: it has no _store_result")

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        raise NotImplementedError(f"{type(self).__name__} finds no results: it has no _get_task_meta_for")

    def _forget(self, task_id: str) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not implement forget")

    def _save_group(self, group_id: str, result: Any) -> Any:
        self._keeps_no_groups()

    def _restore_group(self, group_id: str) -> Any:
        self._keeps_no_groups()

    def _delete_group(self, group_id: str) -> None:
        self._keeps_no_groups()

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """Whether the store may answer another time."""
        return False

    def process_cleanup(self) -> None:
        """Called when a worker's process ends."""

    def on_task_call(self, producer: Any, task_id: str) -> dict[str, Any]:
        """Called before a task is sent."""
        return {}

    # -- what the kernel asks -----------------------------------------------------------------------------------------

    def store(self, results: Sequence[StoredResult]) -> None:
        for result in results:
            self._patiently(self._store_one, result)

    def _store_one(self, stored: StoredResult) -> None:
        meta = stored.meta
        if stored.state == PENDING:  # no result, but a note of the kernel's, of which these stores know nothing
            self._store_result(stored.task_id, {_NOTE: meta}, PENDING)
            return
        if self._is_settled(stored):
            return
        request = StoredRequest(meta)
        self._store_result(
            stored.task_id, meta.get("result"), stored.state, traceback=meta.get("traceback"), request=request
        )

    def _is_settled(self, stored: StoredResult) -> bool:
        return stored.state != SUCCESS and self._meta(stored.task_id).get("status") == SUCCESS

    def fetch(self, task_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        found = {task_id: self._patiently(self._meta, task_id) for task_id in task_ids}
        return {task_id: meta for task_id, meta in found.items() if _is_stored(meta)}

    def _meta(self, task_id: str) -> dict[str, Any]:
        meta = dict(self._get_task_meta_for(task_id) or {})
        note = meta.get("result")
        if isinstance(note, Mapping) and _NOTE in note:
            return dict(note[_NOTE])
        meta.setdefault("task_id", task_id)
        done = meta.get("date_done")
        if isinstance(done, datetime):
            meta["date_done"] = done.isoformat()
        return meta

    def delete(self, task_ids: Sequence[str]) -> None:
        for task_id in task_ids:
            self._patiently(self._forget, task_id)

    def watch(self) -> ResultWatcher:
        return PollingWatcher(self)

    def store_group(self, group_id: str, meta: dict[str, Any], expires: float | None = None) -> None:
        self._patiently(self._save_group, group_id, _Tuple(meta["result"]))

    def fetch_group(self, group_id: str) -> dict[str, Any] | None:
        found = self._patiently(self._restore_group, group_id)
        if not found:
            return None
        result = found["result"] if isinstance(found, Mapping) else found
        return {"result": result.as_tuple() if hasattr(result, "as_tuple") else result}

    def delete_group(self, group_id: str) -> None:
        self._patiently(self._delete_group, group_id)

    def _patiently(self, function: Any, *args: Any) -> Any:
        """What it gives; errors become those that the kernel knows, so that what may pass is tried again."""
        try:
            return function(*args)
        except (BackendError, SerializationError, NotImplementedError):
            raise
        except (AttributeError, NameError, ImportError, AssertionError):  # no other time would do better
            raise
        except (EncodeError, TypeError) as error:
            raise SerializationError(f"the result cannot be encoded: {error}") from error
        except Exception as error:
            self.exception_safe_to_retry(error)  # some close their broken connection in there
            raise StoreUnavailable(f"the result store {type(self).__name__} failed: {error}") from error

    # -- what programs ask --------------------------------------------------------------------------------------------

    def get_task_meta(self, task_id: str, cache: bool = True) -> dict[str, Any]:
        """The meta of a task; exceptions are themselves."""
        found: dict[str, Any] = self.app.results.of(self).meta(task_id)
        if found["status"] in self.EXCEPTION_STATES:
            found["result"] = self.exception_to_python(found["result"])
        return found

    def get_state(self, task_id: str) -> Any:
        """The state of a task."""
        return self.get_task_meta(task_id)["status"]

    get_status = get_state

    def get_result(self, task_id: str) -> Any:
        """The value, or the exception."""
        return self.get_task_meta(task_id).get("result")

    def get_traceback(self, task_id: str) -> Any:
        """The traceback, of a task that has failed."""
        return self.get_task_meta(task_id).get("traceback")

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **_: Any
    ) -> Any:
        """Store a state."""
        self.app.results.of(self).store_state(task_id, state, result, traceback=traceback)
        return result

    def mark_as_started(self, task_id: str, **meta: Any) -> Any:
        """Store that it runs."""
        return self.store_result(task_id, meta, "STARTED")

    def mark_as_done(
        self, task_id: str, result: Any, request: Any = None, store_result: bool = True, state: str = SUCCESS
    ) -> None:
        """Store that it has ended well."""
        if store_result:
            self.store_result(task_id, result, state, request=request)

    def mark_as_failure(
        self,
        task_id: str,
        exc: Any,
        traceback: Any = None,
        request: Any = None,
        store_result: bool = True,
        state: str = "FAILURE",
        **_: Any,
    ) -> None:
        """Store that it has failed."""
        if store_result:
            self.store_result(task_id, exc, state, traceback=traceback, request=request)

    def forget(self, task_id: str) -> None:
        """Forget the result."""
        self.delete([task_id])

    def exception_to_python(self, exc: Any) -> Any:
        """The exception that a map stands for."""
        return symbol_by_name("celeriac.protocol.failures:decode_exception")(exc) if isinstance(exc, Mapping) else exc


def _is_stored(meta: Mapping[str, Any]) -> bool:
    """Celery's stores show a pending task where there is nothing."""
    return meta.get("status", PENDING) != PENDING or not _PLAIN.issuperset(meta)


class _Tuple:
    """The tuple of a group, as stores ask for it."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def as_tuple(self) -> Any:
        return self._value


class PollingWatcher(ResultWatcher):
    """Looks again and again, ever more rarely."""

    def __init__(self, backend: BaseBackend) -> None:
        self._backend = backend
        self._known: dict[str, Any] = {}
        self._longest = backend.subpolling_interval or _INTERVAL

    def add(self, task_ids: Iterable[str]) -> None:
        for task_id in task_ids:
            self._known.setdefault(task_id, None)

    def wait(self, timeout: float | None) -> list[dict[str, Any]]:
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _SHORTEST
        while True:
            changed = []
            for task_id, meta in self._backend.fetch(list(self._known)).items():
                if self._known.get(task_id) != meta["status"]:
                    self._known[task_id] = meta["status"]
                    changed.append(meta)
            left = None if deadline is None else deadline - time.monotonic()
            if changed or (left is not None and left <= 0):
                return changed
            time.sleep(pause if left is None else min(pause, left))
            pause = min(pause * 2, self._longest)

    def close(self) -> None:
        self._known.clear()


class SyncBackendMixin:
    """Of stores that are asked again and again for results, as all of these are."""


Backend = BaseBackend
BaseDictBackend = BaseBackend

__all__ = ["Backend", "BaseBackend", "BaseDictBackend", "SyncBackendMixin"]
