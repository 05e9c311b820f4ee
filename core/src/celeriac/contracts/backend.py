"""What a result store must be: three operations on encoded results, and a way to wait for many."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, NoReturn

from celeriac.contracts.urls import mask_password
from celeriac.exceptions import BackendError


class StoredResult(NamedTuple):
    """One result on its way to the store.

    `meta` is the map of the wire page (``protocol.results.build_meta``), `expires` the seconds it is kept
    (None: the store's default, ``result_expires``), `reply_to` that of the task's message.
    """

    task_id: str
    state: str
    meta: dict[str, Any]
    expires: float | None = None
    reply_to: str | None = None


class ResultWatcher(ABC):
    """One subscription to any number of results; used by one thread at a time."""

    #: `discard` and `wake` work as described, so that one watcher serves all who wait in a process.
    shareable: ClassVar[bool] = False

    @abstractmethod
    def add(self, task_ids: Iterable[str]) -> None:
        """Also watch these.  Results that are there already will be reported by the next `wait`."""

    @abstractmethod
    def wait(self, timeout: float | None) -> list[dict[str, Any]]:
        """The metas of watched tasks that have changed since the last call.

        Blocks up to `timeout` seconds (None: for ever) until there is one; empty if there is none.
        """

    def discard(self, task_ids: Iterable[str]) -> None:
        """No longer watch these; one that is added again is reported again if it is there.

        Only called where `shareable` is true.
        """

    def wake(self) -> None:
        """End the present `wait`, or the next one if none is under way, at once; it may return an empty list.

        The one method called from any thread, and while another thread is in `wait`.  Must not block.  Only called
        where `shareable` is true; other watchers are asked every few hundredths of a second whether there is more to
        watch, and are replaced now and then.
        """

    @abstractmethod
    def close(self) -> None:
        """End the subscription; tolerates being called twice."""


class Backend(ABC):
    """A result store.

    Made once per process and thread-safe; after a fork `after_fork` is called in the child before anything else.
    A driver's class is called with the app and the URL from ``result_backend``.
    """

    #: The version of this contract.
    api_version: ClassVar[int] = 1
    #: Nothing is ever stored or found (the store ``disabled``).
    disabled: ClassVar[bool] = False
    #: Results outlive the client that asked for them and can be read by any process.
    persistent: ClassVar[bool] = True
    #: A result is sent to the `reply_to` of its task's message, so whatever will be sent later must carry that.
    replies_to_sender: ClassVar[bool] = False
    #: Results go by themselves when their time is over; where not, beat has `cleanup` called every night.
    supports_autoexpire: ClassVar[bool] = True

    def __init__(self, app: Any, url: str) -> None:
        self.app = app
        self.url = url

    def take_replies(self, reply_to: str) -> None:
        """Results that are sent under that name are for this store.  Only with `replies_to_sender`.

        Called before the first task is sent whose results are to come there, from any thread and as often as one likes.

        Raises `StoreUnavailable`.
        """

    @abstractmethod
    def store(self, results: Sequence[StoredResult]) -> None:
        """Store all, in order, in one round trip where possible, and wake whoever waits for them.

        A SUCCESS that is there already is never replaced by a later state.  Raises `StoreUnavailable` when the
        store cannot be reached; the caller tries again.  Raises `SerializationError`, with nothing stored, for a result
        that the serializer cannot encode.
        """

    @abstractmethod
    def fetch(self, task_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        """The metas of those of the tasks that have one.  Raises `StoreUnavailable`."""

    @abstractmethod
    def delete(self, task_ids: Sequence[str]) -> None:
        """Forget the results.  Raises `StoreUnavailable`."""

    @abstractmethod
    def watch(self) -> ResultWatcher:
        """A new subscription."""

    # -- groups: what ``GroupResult.save`` and ``restore`` need; a store may leave them out -------------------------

    def store_group(self, group_id: str, meta: dict[str, Any], expires: float | None = None) -> None:
        """Keep ``{"result": <the tuple of the GroupResult>}`` under the group's id, in the place of an earlier one.

        `expires` as in `StoredResult`.  Where Celery's workers read the same store the key is
        ``celery-taskset-meta-<id>``, and the value is encoded as results are.  Raises `StoreUnavailable`, and
        `BackendError` in a store that keeps no groups.
        """
        self._keeps_no_groups()

    def fetch_group(self, group_id: str) -> dict[str, Any] | None:
        """What `store_group` kept; None where there is nothing.  Raises as that does."""
        self._keeps_no_groups()

    def delete_group(self, group_id: str) -> None:
        """Forget the group, not the results of its members.  Raises as `store_group` does."""
        self._keeps_no_groups()

    def _keeps_no_groups(self) -> NoReturn:
        raise BackendError(
            f"the result store {self.as_uri()} keeps no groups, so GroupResult.save and restore do not work with it; "
            "keep the ids of the members yourself (result.as_tuple()), or use another result_backend"
        )

    def cleanup(self) -> None:
        """Remove what has expired, where the store does not do that by itself."""

    def after_fork(self) -> None:
        """Drop connections inherited from the parent without closing them for it."""

    def close(self) -> None:
        """Release all connections; the backend may be used again and then reconnects."""

    def as_uri(self, include_password: bool = False) -> str:
        """The URL, with the password masked unless asked for."""
        if include_password:
            return self.url
        return mask_password(self.url)
