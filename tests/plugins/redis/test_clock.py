"""The server's clock, from here."""

from __future__ import annotations

import time

import pytest

from celeriac_redis.clock import ServerClock


@pytest.fixture
def hear(monkeypatch):
    """Return ``hear(clock, ahead, took)``: an answer from the middle of `took` seconds, its clock so far ahead."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def answer(clock, ahead, took, made_at=0.5):
        sent = now[0]
        now[0] += took
        clock.heard(sent + took * made_at + ahead, sent)
        return clock.now() - now[0] - ahead

    return answer


def test_an_answer_that_took_its_time_on_the_way_back_does_not_make_the_clock_late(hear):
    clock = ServerClock()
    assert abs(hear(clock, 50.0, 0.001)) < 1e-6
    assert abs(hear(clock, 50.0, 0.2, made_at=0.0)) < 1e-6, "a better one is known"


def test_a_clock_that_is_set_is_believed_at_once(hear):
    clock = ServerClock()
    hear(clock, 50.0, 0.001)
    assert abs(hear(clock, -3000.0, 0.2)) < 1e-6


def test_a_clock_that_drifts_is_followed(hear):
    clock = ServerClock()
    hear(clock, 0.0, 0.0001)
    for second in range(60):
        hear(clock, second * 1e-4, 0.9)
        error = hear(clock, second * 1e-4, 0.001)
    assert abs(error) < 0.001
