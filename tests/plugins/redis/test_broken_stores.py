"""A store that loses results with its connections fails a test of the kit by name."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress

import pytest

from celeriac.contracts import ResultWatcher
from celeriac.exceptions import StoreUnavailable
from celeriac.testing.conformance import BackendHarness, BackendSuite, VerdictKind, keeping, run
from celeriac_redis.backend import RedisBackend

SUITE = BackendSuite


class SwallowsErrors(RedisBackend):
    def store(self, results):
        with suppress(StoreUnavailable):
            super().store(results)


class CountsForItself(RedisBackend):
    def increment(self, name, by=1):
        with suppress(StoreUnavailable):
            return super().increment(name, by)
        return by


class GivesUpInSilence(RedisBackend):
    """Asks whether the server is there, and says nothing where it is not."""

    def store(self, results):
        asking = threading.Thread(target=self.fetch, args=(["nobody"],))
        asking.start()
        asking.join(0.1)
        if asking.is_alive():
            asking.join()
        else:
            super().store(results)


class StoresFromAThread(RedisBackend):
    """Which a forked child has not: nobody starts it there."""

    def __init__(self, app, url):
        super().__init__(app, url)
        self.waiting = queue.SimpleQueue()
        self.storer = threading.Thread(target=self._store, daemon=True)
        self.storer.start()

    def store(self, results):
        stored = threading.Event()
        self.waiting.put((results, stored))
        stored.wait(60 if self.storer.is_alive() else 0.01)

    def _store(self):
        while True:
            results, stored = self.waiting.get()
            super().store(results)
            stored.set()


class WaitsForEver(RedisBackend):
    def __init__(self, app, url):
        app.conf.result_backend_transport_options = {"socket_timeout": None}
        super().__init__(app, url)


class TellsOfOne(ResultWatcher):
    """Is deaf to all that comes after the first."""

    def __init__(self, watcher):
        self.watcher, self.has_told = watcher, False

    def add(self, task_ids):
        self.watcher.add(task_ids)

    def wait(self, timeout):
        found = [] if self.has_told else self.watcher.wait(timeout)[:1]
        self.has_told = self.has_told or bool(found)
        return found

    def close(self):
        self.watcher.close()


class IsDeafAfterACut(RedisBackend):
    def watch(self):
        return TellsOfOne(super().watch())


MUTANTS = {
    SwallowsErrors: {
        "a store that was cut off says so or works",
        "a store that is away is an error and then found again",
        "results wait for a store that is away",
    },
    CountsForItself: {"primitives of a store that is away are an error"},
    GivesUpInSilence: {"a store that stalls loses nothing"},
    StoresFromAThread: {"a forked child leaves its parents connections alone"},
    WaitsForEver: {"a store that stalls for good is an error"},
    IsDeafAfterACut: {"a watcher that was cut off misses nothing"},
}


@pytest.mark.slow
@pytest.mark.parametrize("store", MUTANTS, ids=lambda store: store.__name__)
def test_a_store_that_loses_results_fails_by_name(store, url, app, monkeypatch):
    monkeypatch.setattr(keeping, "_PATIENCE", 2.0)
    monkeypatch.setattr(keeping, "_GIVEN_UP", 4.0)
    app.conf.result_backend_transport_options = {"socket_timeout": 2}
    app.plugins.register_driver("backend", "redis", store)
    case = type("Case", (BackendSuite,), {"make_harness": lambda _: BackendHarness(url, app)})
    found = [verdict for words in MUTANTS[store] for verdict in run(case, only=words)]
    assert {verdict.test for verdict in found if verdict.kind is VerdictKind.FAILED} == MUTANTS[store]
