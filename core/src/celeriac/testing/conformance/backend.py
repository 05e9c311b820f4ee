"""What a result store must do."""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from contextlib import closing
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from celeriac import states
from celeriac.contracts.backend import Backend, StoredResult
from celeriac.contracts.chords import ChordStore
from celeriac.contracts.primitives import StorePrimitives
from celeriac.contracts.urls import scheme_of
from celeriac.exceptions import ImproperlyConfigured
from celeriac.protocol.results import build_meta
from celeriac.testing.conformance.chords import ChordChecks
from celeriac.testing.conformance.claims import needs
from celeriac.testing.conformance.demands import NotClaimed, demand, fail
from celeriac.testing.conformance.keeping import KeepingChecks
from celeriac.testing.conformance.primitives import PrimitiveChecks
from celeriac.testing.conformance.proxy import Proxy, server_of, through
from celeriac.testing.conformance.threads import together

if TYPE_CHECKING:
    from collections.abc import Callable

    from celeriac.contracts.backend import ResultWatcher

_PATIENCE = 10.0
#: Seconds within which a wait of a tenth of one has ended.
_IN_TIME = 5.0
_SECRET: Final = "s3cret"  # noqa: S105  # of nothing


def _with_password(url: str) -> str:
    return f"{scheme_of(url)}://user:{_SECRET}@localhost/0"


def _shares_watchers(store: Backend) -> bool:
    with closing(store.watch()) as watcher:
        return watcher.shareable


def _takes_passwords(store: Backend) -> bool:
    try:
        with closing(type(store)(store.app, _with_password(store.url))) as found:
            return _SECRET in found.as_uri(include_password=True)
    except ImproperlyConfigured:
        return False


#: What a store may leave, and how one sees that it does not.
_FEATURES: Final[dict[str, Callable[[Backend], bool]]] = {
    "chords": lambda store: isinstance(store, ChordStore),
    "groups": lambda store: type(store).store_group is not Backend.store_group,
    "other processes": lambda store: store.persistent and hasattr(os, "fork"),
    "other readers": lambda store: not store.replies_to_sender,
    "passwords": _takes_passwords,
    "primitives": lambda store: isinstance(store, StorePrimitives),
    "shared watchers": _shares_watchers,
}


class BackendHarness:
    """Gives the suite result stores at `url`; `app` is a Celery app, made where it is not given.

    Each test uses task ids of its own and deletes them.
    """

    def __init__(self, url: str, app: Any = None) -> None:
        self._owns_app = app is None
        if app is None:
            from celeriac.app.base import Celery  # only where nobody gives one

            app = Celery("conformance", set_as_current=False)
        self.app = app
        self.url = url
        self._stores: list[Backend] = []
        self._ids: list[str] = []
        self._proxy: Proxy | None = None
        #: Where stores lead: through the proxy, once there is one.
        self._way = url

    @property
    def _driver(self) -> type[Backend]:
        driver: type[Backend] = self.app.plugins.driver("backend", scheme_of(self.url))
        return driver

    @cached_property
    def reply_to(self) -> str | None:
        """Where results are sent to, where the store sends them to whoever asked."""
        return f"celeriac-conformance-{uuid4().hex}" if self._driver.replies_to_sender else None

    def store(self) -> Backend:
        """Another store at the same place, as another process would have it; the first one asks for results."""
        store = self._driver(self.app, self._way)
        if not self._stores and self.reply_to is not None:
            store.take_replies(self.reply_to)
        self._stores.append(store)
        return store

    def has(self, feature: str) -> bool:
        """Whether the driver claims that: what the suite's tests need."""
        if feature == "one TCP server":
            return server_of(self.url, self._default_port) is not None
        with closing(self._driver(self.app, self.url)) as store:
            return _FEATURES[feature](store)

    @property
    def _default_port(self) -> int | None:
        port: int | None = getattr(self._driver, "default_port", None)
        return port

    def proxy(self) -> Proxy:
        """What stores lead through from now on, and can be cut by; only where there is one TCP server."""
        if self._proxy is None:
            self._proxy, self._way = through(self.url, self._default_port)
        return self._proxy

    def result(self, task_id: str, state: str, meta: dict[str, Any], expires: float | None = None) -> StoredResult:
        """A result on its way."""
        return StoredResult(task_id, state, meta, expires, self.reply_to)

    def new_id(self) -> str:
        """A task id that nobody else uses."""
        task_id = str(uuid4())
        self._ids.append(task_id)
        return task_id

    def close(self) -> None:
        """Delete what the test stored, and close the stores."""
        if self._stores and self._ids:
            self._stores[0].delete(self._ids)
        for store in self._stores:
            store.close()
        if self._owns_app:
            self.app.close()  # with what waits for results
        if self._proxy is not None:
            self._proxy.close()


_DONE = "2025-01-01T00:00:00+00:00"


class BackendSuite(ChordChecks, KeepingChecks, PrimitiveChecks, ABC):
    """Subclass it and give `make_harness`."""

    @abstractmethod
    def make_harness(self) -> BackendHarness:
        """The harness for one test."""

    @property
    def harness(self) -> BackendHarness:
        """The harness of this test."""
        made: BackendHarness = super().harness
        return made

    @cached_property
    def store(self) -> Backend:
        """The store that the test uses first."""
        store = self.harness.store()
        if store.disabled:
            raise NotClaimed("the store says that it stores nothing")
        return store

    def _succeeded(self, task_id: str, value: Any) -> StoredResult:
        meta = build_meta(task_id, states.SUCCESS, value, date_done=_DONE)
        return self.harness.result(task_id, states.SUCCESS, meta)

    def _begun(self, task_id: str) -> StoredResult:
        return self.harness.result(task_id, states.STARTED, build_meta(task_id, states.STARTED, {"pid": 1}))

    def _wait(self, watcher: ResultWatcher, task_ids: set[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        deadline = time.monotonic() + _PATIENCE
        while not task_ids <= found.keys():
            left = deadline - time.monotonic()
            if left <= 0:
                fail(f"not within {_PATIENCE:g} s: the watcher reports {len(task_ids - found.keys())} more results")
            found.update({meta["task_id"]: meta for meta in watcher.wait(left)})
        return found

    def test_what_is_stored_is_found(self) -> None:
        result = self._succeeded(self.harness.new_id(), {"key": ["value", None, 1.5, "\N{SNOWMAN}"]})
        self.store.store([result])
        found = self.store.fetch([result.task_id])
        demand(found == {result.task_id: result.meta}, f"stored {result.meta!r}, found {dict(found)!r}")

    @needs("other readers", tried=True)
    def test_another_connection_finds_it(self) -> None:
        result = self._succeeded(self.harness.new_id(), 1)
        self.store.store([result])
        found = self.harness.store().fetch([result.task_id])
        demand(found == {result.task_id: result.meta}, f"stored {result.meta!r}, another found {dict(found)!r}")

    def test_what_is_not_there_is_left_out(self) -> None:
        there, absent = self.harness.new_id(), self.harness.new_id()
        self.store.store([self._succeeded(there, 1)])
        found = self.store.fetch([absent, there])
        demand(set(found) == {there}, f"one of two is there, found {len(found)}")
        demand(not self.store.fetch([]), "asked for nothing, found something")

    def test_many_are_stored_at_once(self) -> None:
        results = [self._succeeded(self.harness.new_id(), number) for number in range(250)]
        self.store.store(results)
        found = self.store.fetch([result.task_id for result in results])
        demand(found == {result.task_id: result.meta for result in results}, f"stored 250, found {len(found)}")

    def test_a_later_state_replaces_an_earlier_one(self) -> None:
        task_id = self.harness.new_id()
        self.store.store([self._begun(task_id)])
        self.store.store([self._succeeded(task_id, 1)])
        demand(self.store.fetch([task_id])[task_id]["status"] == states.SUCCESS, "STARTED was not replaced by SUCCESS")

    def test_the_last_of_one_batch_holds(self) -> None:
        task_id = self.harness.new_id()
        self.store.store([self._begun(task_id), self._succeeded(task_id, 1)])
        found = self.store.fetch([task_id])[task_id]["status"]
        demand(found == states.SUCCESS, f"STARTED and SUCCESS were stored in this order, found {found}")

    def test_a_success_is_never_replaced(self) -> None:
        task_id = self.harness.new_id()
        self.store.store([self._succeeded(task_id, 1)])
        self.store.store([self._begun(task_id)])
        failure = build_meta(task_id, states.FAILURE, {"exc_type": "E", "exc_message": [], "exc_module": "m"})
        self.store.store([self.harness.result(task_id, states.FAILURE, failure)])
        found = self.store.fetch([task_id])[task_id]
        demand(found["status"] == states.SUCCESS and found["result"] == 1, f"SUCCESS was replaced by {found!r}")

    def test_a_large_result_is_kept(self) -> None:
        result = self._succeeded(self.harness.new_id(), "x" * 2_000_000)
        self.store.store([result])
        found = self.store.fetch([result.task_id]).get(result.task_id)
        demand(found == result.meta, "a result of two million characters came back different or not at all")

    def test_what_is_deleted_is_gone(self) -> None:
        gone, kept = self.harness.new_id(), self.harness.new_id()
        self.store.store([self._succeeded(gone, 1), self._succeeded(kept, 2)])
        self.store.delete([gone, self.harness.new_id()])
        found = self.store.fetch([gone, kept])
        demand(set(found) == {kept}, f"deleted one of two, {len(found)} are left")

    def test_a_watcher_reports_what_is_stored_later(self) -> None:
        task_id = self.harness.new_id()
        with closing(self.store.watch()) as watcher:
            watcher.add([task_id])
            demand(watcher.wait(0) == [], "the watcher reports a result that is not there")
            # A moment later, so that the watcher is asleep by then and has to be woken.
            writer = threading.Timer(0.1, self.harness.store().store, [[self._succeeded(task_id, 7)]])
            writer.start()
            try:
                found = self._wait(watcher, {task_id})
            finally:
                writer.join()
        demand(found[task_id]["result"] == 7, f"the watcher reports {found[task_id]!r}")

    def test_a_watcher_reports_what_is_there_already(self) -> None:
        task_id = self.harness.new_id()
        self.store.store([self._succeeded(task_id, 7)])
        with closing(self.store.watch()) as watcher:
            watcher.add([task_id])
            self._wait(watcher, {task_id})

    def test_a_watcher_reports_every_one_of_many(self) -> None:
        results = [self._succeeded(self.harness.new_id(), number) for number in range(200)]
        with closing(self.store.watch()) as watcher:
            watcher.add(result.task_id for result in results)
            writer = self.harness.store()
            for start in range(0, len(results), 20):
                writer.store(results[start : start + 20])
            self._wait(watcher, {result.task_id for result in results})

    def test_many_are_waited_for_and_forgotten(self) -> None:
        from celeriac.results import AsyncResult, ResultSet  # as a program does it

        results = [self._succeeded(self.harness.new_id(), number) for number in range(100)]
        app, store = self.harness.app, self.store
        waiting = ResultSet([AsyncResult(each.task_id, backend=store, app=app) for each in results], app=app)
        writer = self.harness.store()
        late = threading.Timer(0.05, writer.store, [results[50:]])
        writer.store(results[:50])
        late.start()
        try:
            found = waiting.get(timeout=_PATIENCE)
        finally:
            late.join()
        demand(found == list(range(100)), f"the values of 100 results are {found}")
        waiting.forget()
        left = store.fetch([each.task_id for each in results])
        demand(not left, f"of 100 results that were forgotten {len(left)} are there")

    def test_a_watcher_says_nothing_of_others(self) -> None:
        watched, other = self.harness.new_id(), self.harness.new_id()
        with closing(self.store.watch()) as watcher:
            watcher.add([watched])
            self.store.store([self._succeeded(other, 1), self._succeeded(watched, 2)])
            found = self._wait(watcher, {watched})
        demand(set(found) == {watched}, "the watcher reports a result that it was not asked for")

    def test_a_watcher_gives_up_in_time(self) -> None:
        with closing(self.store.watch()) as watcher:
            watcher.add([self.harness.new_id()])
            begun = time.monotonic()
            demand(watcher.wait(0.1) == [], "the watcher reports a result that is not there")
            taken = time.monotonic() - begun
            demand(taken < _IN_TIME, f"the watcher was to give up after 0.1 s and took {taken:.1f} s")

    @needs("shared watchers")
    def test_a_shared_watcher_forgets_and_is_told_again(self) -> None:
        task_id, other = self.harness.new_id(), self.harness.new_id()
        with closing(self.store.watch()) as watcher:
            watcher.add([task_id, other])
            self.store.store([self._succeeded(task_id, 1)])
            self._wait(watcher, {task_id})
            watcher.discard([task_id, other])
            self.store.store([self._succeeded(other, 2)])
            demand(watcher.wait(0) == [], "the watcher reports a result that it was told to forget")
            watcher.add([task_id])
            self._wait(watcher, {task_id})

    @needs("shared watchers")
    def test_a_shared_watcher_can_be_woken(self) -> None:
        with closing(self.store.watch()) as watcher:
            watcher.add([self.harness.new_id()])
            watcher.wake()
            begun = time.monotonic()
            watcher.wait(_PATIENCE)
            waker = threading.Timer(0.1, watcher.wake)
            waker.start()
            try:
                watcher.wait(_PATIENCE)
            finally:
                waker.join()
            demand(time.monotonic() - begun < _PATIENCE, "the watcher was woken twice and waited on")

    @needs("groups")
    def test_a_group_is_kept_until_it_is_deleted(self) -> None:
        group_id = self.harness.new_id()
        meta = {"result": [[group_id, None], [[["member", None], None]]]}
        demand(self.store.fetch_group(group_id) is None, "a group is there that nobody has stored")
        self.store.store_group(group_id, {"result": None})
        self.store.store_group(group_id, meta)
        found = self.harness.store().fetch_group(group_id)
        self.store.delete_group(group_id)
        demand(found == meta, f"stored {meta!r}, found {found!r}")
        demand(self.store.fetch_group(group_id) is None, "a deleted group is still there")

    def test_closing_twice_is_harmless(self) -> None:
        watcher = self.store.watch()
        watcher.close()
        watcher.close()
        self.store.close()
        self.store.close()

    def test_a_closed_store_reconnects(self) -> None:
        result = self._succeeded(self.harness.new_id(), 1)
        self.store.close()
        self.store.store([result])
        demand(set(self.store.fetch([result.task_id])) == {result.task_id}, "a result stored after close is not there")

    def test_threads_share_a_store(self) -> None:
        results = [self._succeeded(self.harness.new_id(), number) for number in range(80)]
        store = self.store

        def use(own: list[StoredResult]) -> None:
            for result in own:
                store.store([result])
                store.fetch([result.task_id])

        together([partial(use, results[first::4]) for first in range(4)])
        found = store.fetch([result.task_id for result in results])
        demand(len(found) == len(results), f"four threads stored 80 results, {len(found)} are there")

    @needs("passwords")
    def test_its_url_hides_the_password(self) -> None:
        with closing(type(self.store)(self.harness.app, _with_password(self.harness.url))) as store:
            shown = f"{store.as_uri()} {store!r}"
            demand(_SECRET not in shown, f"as_uri or repr shows the password: {shown}")

    def test_an_error_about_its_url_hides_the_password(self) -> None:
        try:
            type(self.store)(self.harness.app, _with_password(self.harness.url)).close()
        except ImproperlyConfigured as error:
            demand(_SECRET not in str(error), f"the error shows the password: {error}")
