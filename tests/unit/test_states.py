"""The states of a task: which there are, which are final, and which of two reports wins."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from celeriac import states

SURFACE = json.loads((Path(__file__).parents[1] / "data" / "celery-surface.json").read_text())


@pytest.mark.parametrize("name", SURFACE["states"])
def test_every_name_of_celery_is_here(name):
    assert hasattr(states, name)


@pytest.mark.covers(
    "states.PENDING",
    "states.RECEIVED",
    "states.STARTED",
    "states.SUCCESS",
    "states.FAILURE",
    "states.REVOKED",
    "states.REJECTED",
    "states.RETRY",
    "states.IGNORED",
)
def test_a_state_is_its_own_name():
    for name in states.ALL_STATES | states.UNREADY_STATES | {"IGNORED"}:
        assert getattr(states, name) == name


@pytest.mark.covers(
    "states.ALL_STATES",
    "states.EXCEPTION_STATES",
    "states.PROPAGATE_STATES",
    "states.READY_STATES",
    "states.UNREADY_STATES",
)
def test_the_families():
    assert {"SUCCESS", "FAILURE", "REVOKED"} == states.READY_STATES
    assert {"PENDING", "RECEIVED", "STARTED", "REJECTED", "RETRY"} == states.UNREADY_STATES
    assert {"RETRY", "FAILURE", "REVOKED"} == states.EXCEPTION_STATES
    assert {"FAILURE", "REVOKED"} == states.PROPAGATE_STATES
    assert {"PENDING", "RECEIVED", "STARTED", "SUCCESS", "FAILURE", "RETRY", "REVOKED"} == states.ALL_STATES
    assert not states.READY_STATES & states.UNREADY_STATES


@pytest.mark.covers("states.PRECEDENCE", "states.PRECEDENCE_LOOKUP", "states.NONE_PRECEDENCE")
def test_the_stronger_of_two_reports_wins_and_one_of_the_users_own_stands_between():
    order = ["SUCCESS", "FAILURE", "MINE", "REVOKED", "STARTED", "RECEIVED", "REJECTED", "RETRY", "PENDING"]
    for stronger, weaker in pairwise(order):
        assert states.precedence(stronger) < states.precedence(weaker)
        assert states.state(stronger) > states.state(weaker)
        assert states.state(stronger) >= states.state(weaker)
        assert states.state(weaker) < states.state(stronger)
        assert states.state(weaker) <= states.state(stronger)
        assert not states.state(weaker) > states.state(stronger)
    assert states.state("MINE") <= states.state("OTHER")
    assert max(map(states.state, order)) == "SUCCESS"


def test_all_names_exactly_what_is_public():
    assert sorted(states.__all__) == states.__all__
    assert all(hasattr(states, name) for name in states.__all__)
