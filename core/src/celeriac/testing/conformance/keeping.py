"""What a result store must do with time, space, forks and lost connections."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from celeriac import states
from celeriac.exceptions import StoreUnavailable
from celeriac.protocol.results import build_meta
from celeriac.testing.conformance.claims import needs
from celeriac.testing.conformance.demands import demand, fail
from celeriac.testing.conformance.forks import in_a_child
from celeriac.testing.conformance.suite import Level, Suite, level

if TYPE_CHECKING:
    from collections.abc import Callable

    from celeriac.contracts.backend import Backend, StoredResult

_PATIENCE: Final = 10.0
#: Seconds for which a store is away, or stalls.
_AWAY: Final = 0.2
#: Seconds after which an operation on a store that never answers is taken to hang; longer than drivers wait by default.
_GIVEN_UP: Final = 150.0
#: So many results a child and its parent store at once, that answers would be mixed up if they shared a connection.
_EACH: Final = 50


class KeepingChecks(Suite):
    """The part of `BackendSuite` that is about how long results are kept, in which form, and through what."""

    def _success(self, value: Any, expires: float | None = None, **more: Any) -> StoredResult:
        task_id = self.harness.new_id()
        meta = {**build_meta(task_id, states.SUCCESS, value), **more}
        made: StoredResult = self.harness.result(task_id, states.SUCCESS, meta, expires)
        return made

    def _is_forgotten(self, is_there: Callable[[], bool], store: Backend, what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while is_there():
            if time.monotonic() > deadline:
                fail(f"{what} was to be kept for a moment, and is there after {_PATIENCE:g} s and a clean-up")
            store.cleanup()
            time.sleep(0.02)

    def test_a_result_expires_when_its_time_is_over(self) -> None:
        store = self.harness.store()
        short, long = self._success(1, 0.05), self._success(2, 3600)
        store.store([short, long])
        self._is_forgotten(lambda: short.task_id in store.fetch([short.task_id]), store, "a result")
        demand(set(store.fetch([long.task_id])) == {long.task_id}, "a result that is to be kept for an hour is gone")

    def test_results_expire_as_the_settings_say(self) -> None:
        conf = self.harness.app.conf
        before, conf.result_expires = conf.result_expires, 0.05
        try:
            store = self.harness.store()
            result = self._success(1)
            store.store([result])
            self._is_forgotten(
                lambda: result.task_id in store.fetch([result.task_id]), store, "result_expires: a result"
            )
            conf.result_expires = None
            kept = self._success(2)
            store.store([kept])
            store.cleanup()
            demand(set(store.fetch([kept.task_id])) == {kept.task_id}, "a result that is to be kept for ever is gone")
        finally:
            conf.result_expires = before

    @level(Level.RECOMMENDED)
    @needs("groups")
    def test_a_group_expires(self) -> None:
        store = self.harness.store()
        group_id = self.harness.new_id()
        store.store_group(group_id, {"result": None}, 0.05)
        self._is_forgotten(lambda: store.fetch_group(group_id) is not None, store, "a group")

    def test_extended_results_keep_all_their_fields(self) -> None:
        more: dict[str, Any] = {
            "name": "t",
            "args": [1, "\N{SNOWMAN}"],
            "kwargs": {"k": None},
            "worker": "w@h",
            "retries": 3,
        }
        result = self._success(1, queue="q", group_id="g", parent_id="p", stamped_headers=["s"], s="v", **more)
        store = self.harness.store()
        store.store([result])
        found = (store if store.replies_to_sender else self.harness.store()).fetch([result.task_id])
        demand(found == {result.task_id: result.meta}, f"stored {result.meta!r}, found {found!r}")

    @level(Level.OPTIONAL)
    @needs("other readers")
    def test_a_store_that_compresses_and_one_that_does_not_read_each_other(self) -> None:
        conf = self.harness.app.conf
        plain, packed = self._success("x" * 100_000), self._success("y" * 100_000)
        first = self.harness.store()
        first.store([plain])
        before, conf.result_compression = conf.result_compression, "gzip"
        try:
            store = self.harness.store()
            store.store([packed])
            found = dict(store.fetch([plain.task_id]))
        finally:
            conf.result_compression = before
        found.update(self.harness.store().fetch([packed.task_id]))
        expected = {plain.task_id: plain.meta, packed.task_id: packed.meta}
        demand(found == expected, "with result_compression at one end only, a result came back different or not at all")

    @needs("other processes")
    def test_a_forked_child_leaves_its_parents_connections_alone(self) -> None:
        store = self.harness.store()
        first = self._success(0)
        childs, parents = ([self._success(number) for number in range(_EACH)] for _ in range(2))
        store.store([first])

        def in_child() -> None:
            store.after_fork()
            for result in childs:
                store.store([result])
                if store.fetch([result.task_id])[result.task_id] != result.meta:
                    raise LookupError
            store.close()

        def meanwhile() -> None:
            for result in parents:
                store.store([result])
                demand(
                    store.fetch([result.task_id]) == {result.task_id: result.meta},
                    "beside a child its parent does not find what it has stored",
                )

        status = in_a_child(in_child, meanwhile)
        demand(status == 0, f"a child could not use the store that it inherited: it ended with {status}")
        found = store.fetch([result.task_id for result in (first, *childs, *parents)])
        demand(
            len(found) == 2 * _EACH + 1, f"{2 * _EACH + 1} results were stored around a fork, {len(found)} are there"
        )

    @needs("one TCP server")
    def test_a_store_that_was_cut_off_says_so_or_works(self) -> None:
        proxy = self.harness.proxy()
        store = self.harness.store()
        results = [self._success(number) for number in range(6)]
        for number, result in enumerate(results):
            if number:
                proxy.cut(reset=bool(number % 2)) if number < 4 else proxy.lose_answers()
            # What the caller does, who is told that it may be tried again.
            deadline = time.monotonic() + _PATIENCE
            while True:
                try:
                    store.store([result])
                except StoreUnavailable:
                    demand(time.monotonic() < deadline, f"a store is not found again within {_PATIENCE:g} s")
                else:
                    break
        proxy.lose_answers(0)
        reader = store if store.replies_to_sender else self.harness.store()
        found = reader.fetch([result.task_id for result in results])
        demand(len(found) == len(results), f"{len(results)} results were stored between cuts, {len(found)} are there")

    @needs("one TCP server")
    def test_a_store_that_is_away_is_an_error_and_then_found_again(self) -> None:
        proxy = self.harness.proxy()
        store, result = self.harness.store(), self._success(1)
        store.store([result])
        proxy.refuse()
        operations: dict[str, Callable[[], object]] = {
            "store": lambda: store.store([result]),
            "fetch": lambda: store.fetch([result.task_id]),
            "delete": lambda: store.delete([result.task_id]),
        }
        for what, operation in operations.items():
            try:
                operation()
            except StoreUnavailable:
                continue
            fail(f"{what} of a store that is away raised nothing")
        proxy.resume()
        demand(set(store.fetch([result.task_id])) == {result.task_id}, "a result is not found when its store is back")

    @needs("one TCP server")
    def test_results_wait_for_a_store_that_is_away(self) -> None:
        proxy = self.harness.proxy()
        store, result = self.harness.store(), self._success(1)
        store.store([self._success(0)])
        proxy.refuse()
        back = threading.Timer(_AWAY, proxy.resume)
        back.start()
        try:
            # As a client and a worker store: it is tried again, with pauses that grow.
            self.harness.app.results.of(store).store([result])
        except StoreUnavailable as error:
            fail(f"a store was away for {_AWAY:g} s, and a result was given up: {error}")
        finally:
            back.join()
        demand(set(store.fetch([result.task_id])) == {result.task_id}, "a result is not there, and nothing was raised")

    @needs("one TCP server")
    def test_a_store_that_stalls_loses_nothing(self) -> None:
        proxy = self.harness.proxy()
        store, result = self.harness.store(), self._success(1)
        store.store([self._success(0)])
        proxy.stall()
        flow = threading.Timer(_AWAY, proxy.flow)
        flow.start()
        try:
            self.harness.app.results.of(store).store([result])
        finally:
            flow.join()
        demand(set(store.fetch([result.task_id])) == {result.task_id}, "a result is not there, and nothing was raised")

    @level(Level.STRESS)
    @needs("one TCP server")
    def test_a_store_that_stalls_for_good_is_an_error(self) -> None:
        proxy = self.harness.proxy()
        store, result = self.harness.store(), self._success(1)
        store.store([self._success(0)])
        proxy.stall()
        outcome: list[BaseException | None] = []

        def use() -> None:
            try:
                store.store([result])
            except BaseException as error:  # noqa: BLE001  # carried to the thread that judges
                outcome.append(error)
            else:
                outcome.append(None)

        thread = threading.Thread(target=use, daemon=True)
        thread.start()
        thread.join(_GIVEN_UP)
        has_given_up = bool(outcome)  # before the cut, which ends the wait
        proxy.cut()
        proxy.flow()
        demand(has_given_up, f"a store that does not answer is waited for longer than {_GIVEN_UP:g} s")
        demand(isinstance(outcome[0], StoreUnavailable), f"a store that did not answer led to {outcome[0]!r}")
        store.store([result])
        demand(set(store.fetch([result.task_id])) == {result.task_id}, "a result is not found when its store answers")

    @needs("one TCP server")
    def test_a_watcher_that_was_cut_off_misses_nothing(self) -> None:
        proxy = self.harness.proxy()
        first, second = self._success(1), self._success(2)
        found: set[str] = set()
        with closing(self.harness.store().watch()) as watcher:
            watcher.add([first.task_id, second.task_id])
            watcher.wait(0)
            self.harness.store().store([first])
            proxy.cut()
            self.harness.store().store([second])
            deadline = time.monotonic() + _PATIENCE
            while not found >= {first.task_id, second.task_id}:
                demand(time.monotonic() < deadline, f"of two results a watcher that was cut off reported {len(found)}")
                try:
                    found.update(meta["task_id"] for meta in watcher.wait(1))
                except StoreUnavailable:
                    continue
