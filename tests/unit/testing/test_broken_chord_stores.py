"""Stores that count chords wrongly each fail a test of the suite by name."""

from __future__ import annotations

from uuid import uuid4

import pytest

from celeriac import Celery
from celeriac.contracts import Turn
from celeriac.testing.conformance import BackendHarness, BackendSuite
from celeriac_memory.backend import MemoryBackend


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


class NeverEnds(Store):
    def end_chords(self, group_ids):
        pass


MUTANTS = {
    Store: set(),
    AdmitsAll: {"of several messages of a body the first is admitted", "one of many threads is admitted"},
    AdmitsTheLast: {"of several messages of a body the first is admitted"},
    AdmitsOnce: {"of several messages of a body the first is admitted"},
    ClaimsTwice: {"a claimed chord is busy until it is ended"},
    CountsTwice: {"a part that comes again counts once"},
    ForgetsTheBody: {"the body of a chord is kept"},
    NeverEnds: {"a claimed chord is busy until it is ended"},
}


@pytest.mark.parametrize("store", MUTANTS, ids=lambda store: store.__name__)
def test_a_store_that_counts_wrongly_fails_by_name(store, failed):
    address = f"mutant://{uuid4().hex}"

    def harness():
        app = Celery("kit", set_as_current=False)
        app.plugins.register_driver("backend", "mutant", type("Mutant", (store,), {"asked": asked}))
        return BackendHarness(address, app)

    asked: set = set()
    assert failed(BackendSuite, harness, MUTANTS[store]) == MUTANTS[store]
