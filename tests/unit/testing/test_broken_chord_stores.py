"""Stores that count chords wrongly each fail a test of the suite by name."""

from __future__ import annotations

from uuid import uuid4

import pytest

from celeriac import Celery
from celeriac.contracts import Turn
from celeriac.testing.conformance import BackendHarness, BackendSuite, backend, chords, keeping
from celeriac_memory.backend import MemoryBackend, MemoryWatcher

SUITE = BackendSuite


class Store(MemoryBackend):
    """One that does what it must; each mutant breaks one thing."""


class AdmitsAll(Store):
    def admit(self, call, token):
        return True


class AdmitsTheLast(Store):
    def admit(self, call, token):
        return super().admit(f"{call}{token}", token)


class AdmitsOnce(Store):
    asked: set

    def admit(self, call, token):
        if call in self.asked:
            return False
        self.asked.add(call)
        return True


class ClaimsTwice(Store):
    def store_with_parts(self, results, parts):
        return dict.fromkeys(super().store_with_parts(results, parts), Turn.CLAIMED)


class CountsTwice(Store):
    def store_with_parts(self, results, parts):
        again = [part._replace(task_id=f"{part.task_id}-again") for part in parts]
        return super().store_with_parts(results, [*parts, *again])


class ForgetsTheBody(Store):
    def start_chords(self, chords):
        super().start_chords([chord._replace(body=None) for chord in chords])


class KeepsGroups(Store):
    def delete_group(self, group_id):
        pass


class Gossip(MemoryWatcher):
    def discard(self, task_ids):
        pass


class ForgetsNoTask(Store):
    def watch(self):
        return Gossip(self._results, self._decode)


class Sleeper(MemoryWatcher):
    def wake(self):
        pass


class SleepsOn(Store):
    def watch(self):
        return Sleeper(self._results, self._decode)


class NeverEnds(Store):
    def end_chords(self, group_ids):
        pass


class CountsNothing(Store):
    def store_with_parts(self, results, parts):
        super().store_with_parts(results, parts)
        return {}


class Reverses(Store):
    def read_chord(self, group_id):
        body, parts = super().read_chord(group_id)
        return body, parts[::-1]


class GivesItToWhoeverAsks(Store):
    def claim_chord(self, group_id):
        return Turn.CLAIMED


class NeverGrows(Store):
    def grow_chord(self, group_id, count=1):
        pass


class DropsResults(Store):
    def store_with_parts(self, results, parts):
        return super().store_with_parts([], parts)


class TellsOfOneChord(Store):
    def store_with_parts(self, results, parts):
        return dict(list(super().store_with_parts(results, parts).items())[:1])


class KeepsForEver(Store):
    def _expiry(self, seconds):
        return None


MUTANTS = {
    Store: set(),
    AdmitsAll: {"of several messages of a body the first is admitted", "one of many threads is admitted"},
    AdmitsTheLast: {"of several messages of a body the first is admitted"},
    AdmitsOnce: {"of several messages of a body the first is admitted"},
    ClaimsTwice: {"a claimed chord is busy until it is ended", "one of many threads claims a chord"},
    CountsNothing: {"the last part of a chord claims it"},
    Reverses: {"the parts are read in the order of the header"},
    GivesItToWhoeverAsks: {"only a complete chord can be claimed"},
    NeverGrows: {"a chord may grow"},
    DropsResults: {"results are stored with the parts"},
    TellsOfOneChord: {"many chords are counted at once"},
    KeepsForEver: {"an expired chord is forgotten", "a group expires"},
    KeepsGroups: {"a group is kept until it is deleted"},
    ForgetsNoTask: {"a shared watcher forgets and is told again"},
    SleepsOn: {"a shared watcher can be woken"},
    CountsTwice: {"a part that comes again counts once"},
    ForgetsTheBody: {"the body of a chord is kept"},
    NeverEnds: {"a claimed chord is busy until it is ended"},
}


@pytest.mark.parametrize("store", MUTANTS, ids=lambda store: store.__name__)
def test_a_store_that_counts_wrongly_fails_by_name(store, failed, monkeypatch):
    for module in (backend, chords, keeping):
        monkeypatch.setattr(module, "_PATIENCE", 0.5)
    address = f"mutant://{uuid4().hex}"

    def harness():
        app = Celery("kit", set_as_current=False)
        app.plugins.register_driver("backend", "mutant", type("Mutant", (store,), {"asked": asked}))
        return BackendHarness(address, app)

    asked: set = set()
    assert failed(BackendSuite, harness, MUTANTS[store]) == MUTANTS[store]
