"""Levels say how much a test matters; a known gap is reported for as long as there is one, and no longer."""

from __future__ import annotations

import pytest

from celeriac.testing.conformance import Level, Suite, VerdictKind, run
from celeriac.testing.conformance.demands import NotClaimed, demand
from celeriac.testing.conformance.suite import level


class Harness:
    def close(self):
        """Nothing."""


class Own(Suite):
    def make_harness(self):
        return Harness()

    def test_what_matters(self):
        """Passes."""

    @level(Level.RECOMMENDED)
    def test_what_is_expected(self):
        demand(False, "it is not there")

    @level(Level.OPTIONAL)
    def test_what_may_be(self):
        raise NotClaimed("it does not claim that")

    @level(Level.STRESS)
    def test_what_takes_long(self):
        """Passes."""


def with_gaps(**gaps):
    return type("Gaps", (Own,), {"known_gaps": gaps})


def kinds(suite, **given):
    return {verdict.test: (verdict.kind, verdict.level) for verdict in run(suite, **given)}


def test_each_verdict_says_how_much_its_test_matters():
    assert kinds(Own) == {
        "what matters": (VerdictKind.PASSED, Level.CORE),
        "what is expected": (VerdictKind.FAILED, Level.RECOMMENDED),
        "what may be": (VerdictKind.NOT_CLAIMED, Level.OPTIONAL),
        "what takes long": (VerdictKind.PASSED, Level.STRESS),
    }


@pytest.mark.parametrize(("up_to", "count"), [(Level.CORE, 1), (Level.RECOMMENDED, 2), (Level.OPTIONAL, 3)])
def test_levels_above_the_one_that_is_asked_for_are_not_run(up_to, count):
    assert len(kinds(Own, up_to=up_to)) == count


def test_a_known_gap_is_reported_as_such_with_its_reason():
    gaps = with_gaps(test_what_is_expected="comes with 2.0")

    (found,) = [verdict for verdict in run(gaps) if verdict.test == "what is expected"]
    assert (found.kind, found.level) == (VerdictKind.KNOWN_GAP, Level.RECOMMENDED)
    assert found.detail == "comes with 2.0 (it is not there)"
    assert kinds(Own)["what is expected"][0] is VerdictKind.FAILED  # the suite itself is as it was


def test_a_known_gap_that_is_closed_fails_until_it_is_taken_out():
    gaps = with_gaps(test_what_matters="comes with 2.0", test_what_may_be="never")

    assert kinds(gaps)["what matters"][0] is VerdictKind.FAILED
    assert kinds(gaps)["what may be"][0] is VerdictKind.NOT_CLAIMED


def test_a_gap_of_no_test_is_refused():
    with pytest.raises(TypeError, match="'test_of_nothing'"):
        with_gaps(test_of_nothing="?")
