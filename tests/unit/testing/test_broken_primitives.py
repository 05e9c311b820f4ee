"""Store primitives that break their contract fail the test of the kit that says so."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

from celeriac import Celery
from celeriac.testing.conformance import BackendHarness, BackendSuite, primitives
from celeriac_memory.backend import MemoryBackend

SUITE = BackendSuite


class Store(MemoryBackend):
    """Of the plugin for memory, of which each mutant breaks one thing."""


class ForgetsToDelete(Store):
    def delete_values(self, keys):
        pass


class KeepsForEver(Store):
    def set_values(self, values, expires=None):
        super().set_values(values)


class KeepsWhatReplaces(Store):
    def compare_and_set(self, key, expected, value, expires=None):
        return super().compare_and_set(key, expected, value)


class SetsAnyway(Store):
    def compare_and_set(self, key, expected, value, expires=None):
        super().compare_and_set(key, expected, value, expires)
        return True


class LooksAndThenSets(Store):
    def compare_and_set(self, key, expected, value, expires=None):
        if self.get_values([key]).get(key) != expected:
            return False
        time.sleep(0.02)  # where another comes between
        self.set_values({key: value or b""}, expires)
        return True


class LosesCounts(Store):
    def increment(self, name, by=1):
        count = super().increment(name, 0)
        time.sleep(0.001)
        return super().increment(name, count + by - super().increment(name, 0))


class SortsByName(Store):
    def members_between(self, name, lowest, highest, limit=None):
        return sorted(super().members_between(name, lowest, highest, limit))


class GivesTheLockToAll(Store):
    def acquire_lock(self, name, owner, seconds):
        return super().acquire_lock(name, "everybody", seconds)


class KeepsTheLock(Store):
    def acquire_lock(self, name, owner, seconds):
        return super().acquire_lock(name, owner, 3600)


class HasNoFence(Store):
    def set_fenced(self, name, token, values):
        self.set_values({key: value for key, value in values.items() if value is not None})
        self.delete_values([key for key, value in values.items() if value is None])
        return True


class TellsNobody(Store):
    def notify(self, channel):
        pass


MUTANTS = {
    Store: set(),
    ForgetsToDelete: {"values are kept and forgotten"},
    KeepsForEver: {"a value expires"},
    KeepsWhatReplaces: {"a value that was set over another expires"},
    SetsAnyway: {"a value is set only over the expected one"},
    LooksAndThenSets: {"one of many threads sets the value"},
    LosesCounts: {"a counter loses nothing"},
    SortsByName: {"a sorted set is read by score"},
    GivesTheLockToAll: {"a lock has one owner"},
    KeepsTheLock: {"a lock runs out"},
    HasNoFence: {"who has lost the lock cannot write"},
    TellsNobody: {"a notice wakes those who listen"},
}


@pytest.mark.parametrize("store", MUTANTS, ids=lambda store: store.__name__)
def test_broken_primitives_fail_by_name(store, failed, monkeypatch):
    monkeypatch.setattr(primitives, "_PATIENCE", 0.2)

    def harness():
        app = Celery("kit", set_as_current=False)
        app.plugins.register_driver("backend", "mutant", store)
        return BackendHarness(f"mutant://{uuid4().hex}", app)

    assert failed(BackendSuite, harness, MUTANTS[store]) == MUTANTS[store]
