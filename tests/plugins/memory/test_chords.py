"""Chords in memory: claims run out, and what has expired is dropped."""

from __future__ import annotations

import pytest

from celeriac import Celery
from celeriac.contracts import ChordPart, NewChord, Turn
from celeriac_memory import chords


@pytest.fixture
def backend(url):
    with Celery("memory-chords", backend=url, set_as_current=False) as app:
        yield app.backend


def complete(backend, group_id):
    backend.start_chords([NewChord(group_id, 1, {"task": "t"})])
    return backend.store_with_parts([], [ChordPart(group_id, 0, f"{group_id}-task", "SUCCESS", 1)])


def test_a_claim_that_has_run_out_is_given_to_the_next_who_asks(backend, monkeypatch):
    assert complete(backend, "g") == {"g": Turn.CLAIMED}
    assert backend.claim_chord("g") is Turn.BUSY
    monkeypatch.setattr(chords, "CLAIM_SECONDS", 0)
    assert backend.claim_chord("g") is Turn.CLAIMED


def test_expired_chords_are_dropped(backend, wait_until):
    backend.app.conf.result_chord_expires = 0.01
    complete(backend, "g")

    def gone():
        backend.cleanup()
        return backend.read_chord("g") == (None, [])

    wait_until(gone)
