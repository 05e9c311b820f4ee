"""Chords in the file: claims run out, and what has expired is removed."""

from __future__ import annotations

import pytest

from celeriac.contracts import ChordPart, NewChord, Turn
from celeriac_sqlite import chords
from celeriac_sqlite.backend import SqliteBackend


@pytest.fixture
def backend(app, url):
    backend = SqliteBackend(app, url)
    yield backend
    backend.close()


def complete(backend, group_id):
    backend.start_chords([NewChord(group_id, 1, {"task": "t"})])
    return backend.store_with_parts([], [ChordPart(group_id, 0, f"{group_id}-task", "SUCCESS", 1)])


def test_a_claim_that_has_run_out_is_given_to_the_next_who_asks(backend, monkeypatch):
    assert complete(backend, "g") == {"g": Turn.CLAIMED}
    assert backend.claim_chord("g") is Turn.BUSY
    monkeypatch.setattr(chords, "CLAIM_SECONDS", 0)
    assert backend.claim_chord("g") is Turn.CLAIMED


def test_a_clock_that_was_set_back_does_not_keep_a_chord_claimed(backend, monkeypatch):
    now = chords.time.time()
    monkeypatch.setattr(chords.time, "time", lambda: now + 3600)
    complete(backend, "g")
    monkeypatch.setattr(chords.time, "time", lambda: now)
    assert backend.claim_chord("g") is Turn.CLAIMED


def test_the_parts_of_a_chord_that_has_ended_are_removed(backend):
    complete(backend, "g")
    backend.end_chords(["g"])
    assert backend.read_chord("g") == (None, [])


def test_expired_chords_are_removed_with_their_parts(backend, app, wait_until):
    app.conf.result_chord_expires = 0.001
    for number in range(50):
        complete(backend, f"g{number}")

    def rows():
        backend.cleanup()
        return [backend._database.rows(f"SELECT count(*) FROM {table}") for table in ("chord", "chord_part")]

    wait_until(lambda: rows() == [[(0,)], [(0,)]])
