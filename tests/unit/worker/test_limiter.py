"""Rate limits: how they are written, and when messages become due."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from celeriac.worker.limiter import Limiter, rate_of


@pytest.mark.parametrize(
    ("limit", "rate"),
    [
        ("10/s", 10),
        ("90/m", 1.5),
        ("5/h", 5 / 3600),
        (3, 3),
        ("3", 3),
        (0.5, 0.5),
        (0, 0),
        ("0", 0),
        (None, 0),
        ("", 0),
    ],
)
@pytest.mark.covers("app.task.Task.rate_limit")
def test_a_limit_is_runs_a_second_minute_or_hour(limit, rate):
    assert rate_of(limit) == pytest.approx(rate)


@pytest.mark.parametrize("limit", ["often", "10/d", "-1", "nan/s", "inf", "/s", "10/", True, [1], {"a": 1}])
def test_anything_else_is_refused(limit):
    with pytest.raises(ValueError, match="is no rate limit"):
        rate_of(limit)


@pytest.fixture
def due():
    return []


@pytest.fixture
def limiter(hub, due):
    """Tells when each job became due."""
    return Limiter(hub, lambda job: due.append((job.number, time.monotonic())))


def job(number, name="proj.work", expires=None):
    return SimpleNamespace(number=number, tag=f"tag-{number}", name=name, expires=expires)


def test_the_first_may_run_at_once_and_the_others_one_by_one_in_their_order(limiter, due, turn_until):
    limiter.set("proj.work", 50)
    start = time.monotonic()
    assert not limiter.takes(job(0))
    assert all(limiter.takes(job(number)) for number in range(1, 6))
    assert len(limiter) == 5
    turn_until(lambda: len(due) == 5)
    assert [number for number, _ in due] == [1, 2, 3, 4, 5]
    assert due[-1][1] - start >= 0.1 - 0.001
    assert len(limiter) == 0


def test_other_tasks_do_not_wait(limiter):
    limiter.set("proj.work", 1 / 3600)
    assert not limiter.takes(job(1))
    assert limiter.takes(job(2))
    assert not limiter.takes(job(3, "proj.other"))


def test_a_new_limit_holds_for_what_waits_already(limiter, due, turn_until):
    limiter.set("proj.work", 1 / 3600)
    limiter.takes(job(0))
    limiter.takes(job(1))
    limiter.takes(job(2))
    limiter.set("proj.work", 1000)
    turn_until(lambda: len(due) == 2)


def test_without_a_limit_all_that_waits_is_due(limiter, due):
    limiter.set("proj.work", 1 / 3600)
    for number in range(3):
        limiter.takes(job(number))
    limiter.set("proj.work", 0)
    assert [number for number, _ in due] == [1, 2]
    assert not limiter.lines
    assert not limiter.takes(job(9))


def test_what_expires_while_it_waits_is_handed_on_at_that_time(limiter, due, turn_until):
    limiter.set("proj.work", 1 / 3600)
    limiter.takes(job(0))
    limiter.takes(job(1))
    limiter.takes(job(2, expires=time.time() + 0.05))
    turn_until(lambda: due)
    assert [number for number, _ in due] == [2]
    assert [waiting.number for waiting in limiter.jobs()] == [1]


def test_what_is_taken_out_becomes_due_no_more(limiter, due, turn_until, hub):
    limiter.set("proj.work", 100)
    for number in range(6):
        limiter.takes(job(number, expires=time.time() + 0.02))
    assert [taken.number for taken in limiter.take({"tag-2", "tag-4"})] == [2, 4]
    assert [taken.number for taken in limiter.take_matching(lambda one: one.number == 5)] == [5]
    turn_until(lambda: len(due) == 2)
    assert sorted(number for number, _ in due) == [1, 3]
    assert limiter.take() == []


def test_a_loop_that_stood_still_makes_up_for_a_moment_only(limiter, due, hub, monkeypatch):
    limiter.set("proj.work", 100)
    for number in range(200):
        limiter.takes(job(number))
    line = limiter.lines["proj.work"]
    line.monotonic_next -= 60  # a minute in which the loop did not turn
    limiter._turn(line)
    assert len(due) <= 12
