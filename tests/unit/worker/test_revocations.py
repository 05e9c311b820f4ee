"""What was revoked: remembered up to a number and a time, by id and by stamp."""

from __future__ import annotations

import time

import pytest

from celeriac.worker.revocations import Revocations
from celeriac.worker.revoked import Revoked


def test_the_oldest_of_too_many_is_forgotten():
    revoked = Revoked(3, 100)
    for name in "abcd":
        revoked.add(name)
    revoked.add("b")  # revoked again, so it is the youngest
    revoked.add("e")
    assert list(revoked) == ["d", "b", "e"]
    assert "c" not in revoked


def test_what_has_expired_is_forgotten_before_what_has_not():
    revoked = Revoked(2, 100)
    revoked.add("young")
    revoked.add("old", since=time.time() - 101)
    assert "old" not in revoked
    revoked.add("new")
    assert list(revoked) == ["young", "new"]


def test_a_member_can_be_discarded_and_nothing_happens_twice():
    revoked = Revoked(2, 100)
    revoked.add("a")
    revoked.discard("a")
    revoked.discard("a")
    assert len(revoked) == 0


def test_the_environment_says_how_many_and_how_long(monkeypatch):
    monkeypatch.setenv("CELERY_WORKER_REVOKES_MAX", "7")
    monkeypatch.setenv("CELERY_WORKER_REVOKE_EXPIRES", "8.5")
    revocations = Revocations()
    assert (revocations.ids.most, revocations.ids.seconds) == (7, 8.5)
    monkeypatch.delenv("CELERY_WORKER_REVOKES_MAX")
    monkeypatch.delenv("CELERY_WORKER_REVOKE_EXPIRES")
    assert (Revocations().ids.most, Revocations().stamps.seconds) == (50_000, 10_800)


@pytest.mark.parametrize(
    ("headers", "covered"),
    [
        ({"id": "a"}, True),
        ({"id": "b"}, False),
        ({"id": "b", "stamped_headers": ["tenant"], "stamps": {"tenant": "x"}}, True),
        ({"id": "b", "stamped_headers": ["tenant"], "stamps": {"tenant": ["w", "y"]}}, True),
        ({"id": "b", "stamped_headers": ["tenant"], "stamps": {"tenant": 7}}, True),
        ({"id": "b", "stamped_headers": ["tenant"], "stamps": {"tenant": "z"}}, False),
        ({"id": "b", "stamped_headers": [], "stamps": {"tenant": "x"}}, False),
        ({"id": "b", "stamped_headers": None, "stamps": {}}, False),
        ({"id": ["a"], "stamped_headers": "tenant", "stamps": ["x"]}, False),
        ({}, False),
    ],
)
def test_a_message_is_covered_by_its_id_or_by_one_of_its_stamps(headers, covered):
    revocations = Revocations()
    assert not revocations.is_any
    revocations.add_ids(["a"])
    revocations.add_stamps({"tenant": ["x", "y", "7"]})
    assert revocations.is_any
    assert revocations.cover(headers) is covered


def test_when_all_has_expired_nothing_is_looked_up_any_more():
    revocations = Revocations(10, 100)
    revocations.add_ids(["a"], since=time.time() - 101)
    revocations.add_stamps({"x": "y"}, since=time.time() - 101)
    revocations.purge()
    assert not revocations.is_any
