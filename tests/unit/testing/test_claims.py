"""What a driver leaves is said by its suite; whoever claims less, or more, than the driver does is found out."""

from __future__ import annotations

import re

import pytest

from celeriac.contracts import LaneCapabilities
from celeriac.testing.conformance import BackendSuite, BrokerSuite, PoolSuite, Suite, VerdictKind, run
from celeriac.testing.conformance.claims import AGREEMENT, needs, needs_of
from celeriac.testing.conformance.demands import NotClaimed, Violation, demand
from celeriac.testing.conformance.suite import test_names


class Harness:
    def __init__(self, features):
        self.features = features

    def has(self, feature):
        return feature in self.features

    def close(self):
        """Nothing."""


class Driver(Suite):
    features = frozenset({"wings", "wheels"})
    does = frozenset({"wings", "wheels"})

    def make_harness(self):
        return Harness(self.features)

    def test_what_all_do(self):
        """Passes."""

    @needs("wheels")
    def test_that_it_rolls(self):
        demand("wheels" in self.does, "it does not roll")

    @needs("wings", tried=True)
    def test_that_it_flies(self):
        demand("wings" in self.does, "it does not fly")


class Car(Driver):
    features = does = frozenset({"wheels"})
    unclaimed = ("wings",)


class Sledge(Car):
    features = does = frozenset()
    unclaimed = ("wheels", "wings")


class Plane(Car):
    features = does = frozenset({"wheels", "wings"})
    unclaimed = ()


def kinds(suite):
    return {verdict.test: str(verdict.kind) for verdict in run(suite)}


def collected(pytester, suite):
    """What pytest makes of a class of this module."""
    pytester.makepyfile(f"""
        import importlib.util
        spec = importlib.util.spec_from_file_location("claims", {__file__!r})
        claims = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(claims)
        class Test(claims.{suite}):
            pass
    """)
    return pytester.runpytest_inprocess("-p", "no:xdist")


@pytest.mark.parametrize(("suite", "passed"), [("Driver", 3), ("Car", 4), ("Sledge", 3), ("Plane", 4)])
def test_nothing_is_skipped_where_the_suite_says_what_its_driver_leaves(pytester, suite, passed):
    collected(pytester, suite).assert_outcomes(passed=passed)


def test_what_is_left_is_reported_as_not_claimed_whether_the_suite_says_so_or_not():
    bare = type("Bare", (Driver,), {"features": frozenset({"wheels"}), "does": frozenset({"wheels"})})
    expected = {"what all do": "passed", "that it rolls": "passed", "that it flies": "not claimed"}
    assert kinds(bare) == expected
    assert kinds(Car) == {**expected, "it claims what its suite says": "passed"}
    assert kinds(Sledge)["that it rolls"] == "not claimed"
    assert kinds(Plane)["that it flies"] == "passed"


def test_a_test_of_what_is_left_fails_with_the_remedy_where_the_suite_says_nothing():
    bare = type("Bare", (Driver,), {"features": frozenset(), "does": frozenset()})
    with pytest.raises(NotClaimed, match="it does not claim wheels") as raised:
        bare().test_that_it_rolls()
    assert raised.value.__notes__ == ['its suite is to say so: unclaimed = ("wheels",)']


def test_a_driver_that_does_what_it_does_not_claim_is_found_out():
    shy = type("Shy", (Driver,), {"features": frozenset({"wheels"})})
    (found,) = run(shy, only="flies")
    assert found.kind is VerdictKind.FAILED
    assert found.detail == "it does this, and does not claim it, so that nobody uses it: wings"
    shy_car = type("ShyCar", (shy,), {"unclaimed": ("wings",)})
    assert kinds(shy_car)["that it flies"] == "failed"


@pytest.mark.parametrize("features", [{"wheels", "wings"}, set()])
def test_a_suite_that_says_something_else_than_its_driver_fails(features):
    wrong = type("Wrong", (Car,), {"features": features, "unclaimed": ("wings",)})
    with pytest.raises(Violation, match=r"its suite is to say what it leaves: unclaimed = \("):
        getattr(wrong(), AGREEMENT)()


def test_something_that_no_test_needs_cannot_be_left():
    with pytest.raises(TypeError, match=r"'sails', and there is only \(\"wheels\", \"wings\"\)"):
        type("Ship", (Driver,), {"unclaimed": ("sails",)})


def test_the_page_names_all_that_a_driver_may_leave(pytestconfig):
    page = (pytestconfig.rootpath / "docs" / "reference" / "conformance.md").read_text()
    for kind, suite in {"broker": BrokerSuite, "backend": BackendSuite, "pool": PoolSuite}.items():
        known = {feature for name in test_names(suite) for feature in needs_of(getattr(suite, name))}
        (row,) = re.findall(rf"^\| {kind} \| (.*) \|$", page, re.MULTILINE)
        assert known - set(LaneCapabilities.__members__) <= set(re.findall("`([^`]+)`", row)), kind
