"""What a store that has the primitives must do with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import chain
from typing import Any

from celeriac.exceptions import StoreUnavailable
from celeriac.testing.conformance.claims import needs
from celeriac.testing.conformance.demands import demand, fail
from celeriac.testing.conformance.suite import Suite
from celeriac.testing.conformance.threads import together

_PATIENCE = 10.0


class PrimitiveChecks(Suite):
    """The part of `BackendSuite` that is about `StorePrimitives`; a store without them does not claim it."""

    @needs("primitives")
    def test_values_are_kept_and_forgotten(self) -> None:
        store = self.harness.store()
        first, second = self.harness.new_id(), self.harness.new_id()
        store.set_values({first: b"1", second: b"\x00\xff"})
        found = self.harness.store().get_values([first, second, self.harness.new_id()])
        demand(found == {first: b"1", second: b"\x00\xff"}, f"another connection finds {found!r}")
        store.delete_values([first, second])
        demand(store.get_values([first, second]) == {}, "deleted values are there")

    @needs("primitives")
    def test_a_value_expires(self) -> None:
        store, key = self.harness.store(), self.harness.new_id()
        store.set_values({key: b"1"}, 0.05)
        monotonic_deadline = time.monotonic() + _PATIENCE
        while store.get_values([key]) and time.monotonic() < monotonic_deadline:
            time.sleep(0.02)
        demand(store.get_values([key]) == {}, f"a value was to be kept for 0.05 s and is there after {_PATIENCE:g}")
        demand(store.compare_and_set(key, None, b"2"), "an expired value stood in the way of a new one")
        store.delete_values([key])

    @needs("primitives")
    def test_a_value_is_set_only_over_the_expected_one(self) -> None:
        store, key = self.harness.store(), self.harness.new_id()
        demand(not store.compare_and_set(key, b"1", b"2"), "a value that is not there was as expected")
        demand(store.compare_and_set(key, None, b"1"), "a key without a value has one")
        demand(not store.compare_and_set(key, None, b"2"), "a key with a value has none")
        demand(store.compare_and_set(key, b"1", b"2"), "the value is not what was set")
        demand(store.compare_and_set(key, b"2", None), "the value is not what was set")
        demand(store.get_values([key]) == {}, "a value that was set to None is there")

    @needs("primitives")
    def test_a_value_that_was_set_over_another_expires(self) -> None:
        store, key = self.harness.store(), self.harness.new_id()
        store.set_values({key: b"1"})
        demand(store.compare_and_set(key, b"1", b"2", 0.05), "the value is not what was set")
        monotonic_deadline = time.monotonic() + _PATIENCE
        while store.get_values([key]) and time.monotonic() < monotonic_deadline:
            time.sleep(0.02)
        found = store.get_values([key])
        store.delete_values([key])
        demand(found == {}, f"a value was to be kept for 0.05 s and is there after {_PATIENCE:g}")

    @needs("primitives", "one TCP server")
    def test_primitives_of_a_store_that_is_away_are_an_error(self) -> None:
        proxy = self.harness.proxy()
        store, name = self.harness.store(), self.harness.new_id()
        store.increment(name)
        operations: dict[str, Callable[[], object]] = {
            "get_values": lambda: store.get_values([name]),
            "set_values": lambda: store.set_values({name: b"1"}, 60),
            "compare_and_set": lambda: store.compare_and_set(name, None, b"1", 60),
            "increment": lambda: store.increment(name),
            "members_between": lambda: store.members_between(name, 0, 1),
            "acquire_lock": lambda: store.acquire_lock(name, "one", 1),
            "notify": lambda: store.notify(name),
        }
        proxy.refuse()
        for what, operation in operations.items():
            try:
                operation()
            except StoreUnavailable:
                continue
            fail(f"{what} of a store that is away raised nothing")
        proxy.resume()
        demand(store.increment(name, 0) == 1, "a counter is not what it was when its store is back")

    @needs("primitives")
    def test_one_of_many_threads_sets_the_value(self) -> None:
        stores, key = [self.harness.store() for _ in range(4)], self.harness.new_id()
        won = together([partial(store.compare_and_set, key, None, b"1") for store in stores])
        stores[0].delete_values([key])
        demand(won.count(True) == 1, f"{won.count(True)} of four threads have set a value that was to be set once")

    @needs("primitives")
    def test_a_counter_loses_nothing(self) -> None:
        stores, name = [self.harness.store() for _ in range(4)], self.harness.new_id()

        def count(store: Any) -> list[int]:
            return [store.increment(name) for _ in range(10)]

        found = sorted(chain.from_iterable(together([partial(count, store) for store in stores])))
        demand(found == list(range(1, 41)), f"forty increments counted {found!r}")
        demand(stores[0].increment(name, -40) == 0, "a counter cannot be taken back")

    @needs("primitives")
    def test_a_sorted_set_is_read_by_score(self) -> None:
        store, name = self.harness.store(), self.harness.new_id()
        store.add_members(name, {"b": 2, "a": 2, "c": 3.5, "d": 1_900_000_000.25})
        store.add_members(name, {"c": 1})
        found = store.members_between(name, float("-inf"), float("inf"))
        expected = [("c", 1.0), ("a", 2.0), ("b", 2.0), ("d", 1_900_000_000.25)]
        demand(found == expected, f"the members by score are {found!r}")
        demand(store.members_between(name, 2, 2, limit=1) == [("a", 2.0)], "the limit or the bounds were not kept")
        store.remove_members(name, ["a", "b", "c", "d"])
        demand(store.members_between(name, float("-inf"), float("inf")) == [], "removed members are there")

    @needs("primitives")
    def test_a_lock_has_one_owner(self) -> None:
        store, name = self.harness.store(), self.harness.new_id()
        token = store.acquire_lock(name, "one", 30)
        demand(token is not None, "a free lock was refused")
        demand(self.harness.store().acquire_lock(name, "two", 30) is None, "a lock was given to two")
        demand(store.acquire_lock(name, "one", 30) == token, "renewing a lock changed its token")
        demand(not store.release_lock(name, "two"), "a lock was released by who did not have it")
        demand(store.release_lock(name, "one"), "the owner could not release the lock")
        following = store.acquire_lock(name, "two", 30)
        store.release_lock(name, "two")
        demand(following is not None and following > token, f"token {token} was followed by {following}")

    @needs("primitives")
    def test_a_lock_runs_out(self) -> None:
        store, name = self.harness.store(), self.harness.new_id()
        first = store.acquire_lock(name, "one", 0.05)
        monotonic_deadline = time.monotonic() + _PATIENCE
        while (second := store.acquire_lock(name, "two", 30)) is None and time.monotonic() < monotonic_deadline:
            time.sleep(0.02)
        store.release_lock(name, "two")
        demand(second is not None and second > first, f"token {first} ran out, and was followed by {second}")

    @needs("primitives")
    def test_who_has_lost_the_lock_cannot_write(self) -> None:
        store, name, key = self.harness.store(), self.harness.new_id(), self.harness.new_id()
        first = store.acquire_lock(name, "one", 30)
        demand(store.set_fenced(name, first, {key: b"one"}), "the holder of the lock could not write")
        store.release_lock(name, "one")
        second = store.acquire_lock(name, "two", 30)
        demand(store.set_fenced(name, second, {key: b"two"}), "the holder of the lock could not write")
        demand(not store.set_fenced(name, first, {key: b"late"}), "a lost token was accepted")
        found = store.get_values([key])
        demand(found == {key: b"two"}, f"the value is {found!r}")
        demand(store.set_fenced(name, second, {key: None}), "the holder of the lock could not delete")
        store.release_lock(name, "two")
        demand(store.get_values([key]) == {}, "a value that was set to None is there")

    @needs("primitives")
    def test_a_notice_wakes_those_who_listen(self) -> None:
        store, channel = self.harness.store(), self.harness.new_id()
        with closing(self.harness.store().listen(channel)) as notices:
            demand(not notices.wait(0.0), "a notice came that nobody has sent")
            store.notify(channel)
            demand(notices.wait(_PATIENCE), f"a notice did not come within {_PATIENCE:g} s")
            demand(not notices.wait(0.0), "one notice came twice")
            timer = threading.Timer(0.1, store.notify, [channel])
            timer.start()
            woken = notices.wait(_PATIENCE)
            timer.join()
            demand(woken, f"a notice did not come within {_PATIENCE:g} s")
