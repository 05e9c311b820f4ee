"""A result store that breaks its contract fails the test of the kit that says so."""

from __future__ import annotations

import threading
import time

import pytest

from celeriac import Celery
from celeriac.contracts import Backend, ResultWatcher
from celeriac.exceptions import ImproperlyConfigured
from celeriac.testing.conformance import BackendHarness, BackendSuite, keeping
from celeriac.testing.conformance import backend as backend_suite

SUITE = BackendSuite


@pytest.fixture(autouse=True)
def _impatience(monkeypatch):
    """What never comes is not waited for as long as a slow store may take."""
    monkeypatch.setattr(backend_suite, "_PATIENCE", 0.5)
    monkeypatch.setattr(backend_suite, "_IN_TIME", 0.5)
    monkeypatch.setattr(keeping, "_PATIENCE", 0.5)


class Watcher(ResultWatcher):
    def __init__(self, store):
        self.store = store
        self.seen = {}

    def add(self, task_ids):
        self.seen.update(dict.fromkeys(task_ids))

    def wait(self, timeout):
        deadline = time.monotonic() + (60 if timeout is None else timeout)
        with self.store.changed:
            while not (found := self._changed()):
                left = deadline - time.monotonic()
                if left <= 0:
                    return []
                self.store.changed.wait(left)
        self.seen.update({meta["task_id"]: meta for meta in found})
        return found

    def _changed(self):
        return [meta for key in self.seen if (meta := self.store.metas.get(key)) not in (None, self.seen[key])]

    def close(self):
        self.seen = {}


class Store(Backend):
    """Keeps results in a map that all stores of a test share; each mutant breaks one thing."""

    persistent = False
    metas: dict
    expiries: dict
    changed: threading.Condition

    def store(self, results):
        with self.changed:
            for result in results:
                self.put(result)
                self.expiries[result.task_id] = time.monotonic() + (self.seconds(result) or 10**9)
            self.changed.notify_all()

    def seconds(self, result):
        return self.app.conf.result_expires if result.expires is None else result.expires

    def cleanup(self):
        self.delete([task_id for task_id, expiry in self.expiries.items() if expiry < time.monotonic()])

    def put(self, result):
        if self.metas.get(result.task_id, {}).get("status") != "SUCCESS":
            self.metas[result.task_id] = result.meta

    def fetch(self, task_ids):
        return {task_id: self.metas[task_id] for task_id in task_ids if task_id in self.metas}

    def delete(self, task_ids):
        for task_id in task_ids:
            self.metas.pop(task_id, None)

    def watch(self):
        return Watcher(self)


class Overwrites(Store):
    def put(self, result):
        self.metas[result.task_id] = result.meta


class KeepsTheFirst(Store):
    def put(self, result):
        self.metas.setdefault(result.task_id, result.meta)


class StoresNothing(Store):
    def put(self, result):
        pass


class CutsLargeResults(Store):
    def put(self, result):
        if len(str(result.meta["result"])) < 100_000:
            super().put(result)


class TellsOne(Watcher):
    def wait(self, timeout):
        return super().wait(timeout)[:1]


class TellsOneOfMany(Store):
    def watch(self):
        return TellsOne(self)


class Patient(Watcher):
    def wait(self, timeout):
        return super().wait(timeout * 20)


class NeverGivesUp(Store):
    def watch(self):
        return Patient(self)


class ClosesOnce(Store):
    is_closed = False

    def close(self):
        if self.is_closed:
            raise LookupError
        self.is_closed = True


class StaysClosed(ClosesOnce):
    def close(self):
        self.is_closed = True

    def store(self, results):
        if self.is_closed:
            raise LookupError
        super().store(results)


class BelongsToAThread(Store):
    def __init__(self, app, url):
        super().__init__(app, url)
        self.owner = threading.get_ident()

    def store(self, results):
        if threading.get_ident() != self.owner:
            raise LookupError
        super().store(results)


class TellsThePassword(Store):
    def __init__(self, app, url):
        if "@" in url:
            raise ImproperlyConfigured(f"{url} has a password")
        super().__init__(app, url)


class ReadsOnlyItsOwnForm(Store):
    def fetch(self, task_ids):
        return {} if self.app.conf.result_compression else super().fetch(task_ids)


class ForgetsTheRest(Store):
    def store(self, results):
        super().store(results[:100])


class InventsResults(Store):
    def fetch(self, task_ids):
        return {task_id: self.metas.get(task_id, {"status": "PENDING"}) for task_id in task_ids}


class DeletesNothing(Store):
    def delete(self, task_ids):
        """Nothing."""


class KeepsToItself(Store):
    def __init__(self, app, url):
        super().__init__(app, url)
        self.metas = {}


class Sleeper(Watcher):
    def wait(self, timeout):
        found = self._changed()
        if not found:
            time.sleep(timeout)
        return found


class WakesNobody(Store):
    def watch(self):
        return Sleeper(self)


class Deaf(Watcher):
    def add(self, task_ids):
        self.seen.update({task_id: self.store.metas.get(task_id) for task_id in task_ids})


class IgnoresThePast(Store):
    def watch(self):
        return Deaf(self)


class Gossip(Watcher):
    def _changed(self):
        return list(self.store.metas.values())


class SaysTooMuch(Store):
    def watch(self):
        return Gossip(self)


class KeepsForEver(Store):
    def cleanup(self):
        """Nothing."""


class IgnoresTheSettings(Store):
    def seconds(self, result):
        return result.expires


class DropsFields(Store):
    def put(self, result):
        kept = {key: value for key, value in result.meta.items() if key not in {"worker", "queue"}}
        super().put(result._replace(meta=kept))


class ShowsPasswords(Store):
    def as_uri(self, include_password=False):
        return self.url


MUTANTS = {
    Store: set(),
    Overwrites: {"a success is never replaced"},
    KeepsTheFirst: {"a later state replaces an earlier one", "the last of one batch holds"},
    StoresNothing: {"what is stored is found"},
    CutsLargeResults: {"a large result is kept"},
    TellsOneOfMany: {"a watcher reports every one of many"},
    NeverGivesUp: {"a watcher gives up in time"},
    ClosesOnce: {"closing twice is harmless"},
    StaysClosed: {"a closed store reconnects"},
    BelongsToAThread: {"threads share a store"},
    TellsThePassword: {"an error about its url hides the password"},
    ReadsOnlyItsOwnForm: {"a store that compresses and one that does not read each other"},
    ForgetsTheRest: {"many are stored at once"},
    InventsResults: {"what is not there is left out"},
    DeletesNothing: {"what is deleted is gone", "many are waited for and forgotten"},
    KeepsToItself: {"another connection finds it"},
    WakesNobody: {"a watcher reports what is stored later"},
    IgnoresThePast: {"a watcher reports what is there already"},
    SaysTooMuch: {"a watcher says nothing of others"},
    KeepsForEver: {"a result expires when its time is over", "results expire as the settings say"},
    IgnoresTheSettings: {"results expire as the settings say"},
    DropsFields: {"extended results keep all their fields"},
    ShowsPasswords: {"its url hides the password"},
}


@pytest.mark.parametrize("store", MUTANTS, ids=lambda store: store.__name__)
def test_a_broken_result_store_fails_by_name(store, failed):
    def harness():
        shared = type("Shared", (store,), {"metas": {}, "expiries": {}, "changed": threading.Condition()})
        app = Celery("kit", set_as_current=False)
        app.plugins.register_driver("backend", "mutant", shared)
        return BackendHarness("mutant://", app)

    assert failed(BackendSuite, harness, MUTANTS[store]) == MUTANTS[store]
