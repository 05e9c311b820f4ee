"""What a driver may leave, by name, and what becomes of the tests of it where it does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Any, TypeVar

from celeriac.testing.conformance.demands import NotClaimed, demand, fail

_Test = TypeVar("_Test", bound="Callable[[Any], None]")

#: The name of the test that `with_unclaimed` adds.
AGREEMENT = "test_it_claims_what_its_suite_says"


def needs(*features: str, tried: bool = False) -> Callable[[_Test], _Test]:
    """Say of a test that it is about something that a driver may leave; its harness has ``has(feature)``.

    `tried`: where the driver does not claim it the test runs all the same and must fail, since a driver that does
    something and does not claim it is not used as it could be.  For what has a visible effect, and fails soon.
    """

    def mark(test: _Test) -> _Test:
        @wraps(test)
        def run_test(suite: Any) -> None:
            __tracebackhide__ = True  # pytest's: what the test does is of interest
            missing = [feature for feature in features if not suite.harness.has(feature)]
            if not missing:
                return test(suite)
            if tried:
                _demand_failure(test, suite, missing)
            reason = NotClaimed(f"it does not claim {' or '.join(missing)}", missing)
            reason.add_note(f"its suite is to say so: unclaimed = {_shown(missing)}")
            raise reason

        run_test.needs = frozenset(features)  # type: ignore[attr-defined]  # read by `needs_of`
        run_test.is_tried = tried  # type: ignore[attr-defined]  # read by `with_unclaimed`
        return run_test  # type: ignore[return-value]  # it is called as the test is

    return mark


def _demand_failure(test: Callable[[Any], None], suite: Any, missing: Collection[str]) -> None:
    try:
        test(suite)
    except Exception:  # noqa: BLE001  # in whichever way a driver does not do it
        return
    fail(f"it does this, and does not claim it, so that nobody uses it: {', '.join(missing)}")


def needs_of(test: object) -> frozenset[str]:
    """What a driver may leave of that which a test is about."""
    found: frozenset[str] = getattr(test, "needs", frozenset())
    return found


def with_unclaimed(tests: Mapping[str, Callable[[Any], None]], unclaimed: Collection[str]) -> dict[str, Any]:
    """What takes the places of a suite's tests where its driver leaves these.

    None for a test that there is then none of; a test that passes where the driver really does not do it; and one
    that holds `unclaimed` against what the harness has.

    Raises `TypeError` for a name that none of the tests needs.
    """
    known = frozenset[str]().union(*map(needs_of, tests.values()))
    for name in unclaimed:
        if name not in known:
            raise TypeError(f"unclaimed names {name!r}, and there is only {_shown(known)}")
    places: dict[str, Any] = {
        name: _refusal(test) if getattr(test, "is_tried", False) else None
        for name, test in tests.items()
        if needs_of(test) & set(unclaimed)
    }
    return {**places, AGREEMENT: _agreement(known)}


def is_of_the_unclaimed(test: object) -> bool:
    """Whether `with_unclaimed` has put this in the place of a test."""
    return test is None or getattr(test, "is_refusal", False)


def _refusal(test: Callable[[Any], None]) -> Callable[[Any], None]:
    @wraps(test)
    def run_test(suite: Any) -> None:
        try:
            test(suite)
        except NotClaimed:
            return
        fail("its suite says that it does not claim this, and it does")

    run_test.is_refusal = True  # type: ignore[attr-defined]  # read by `is_of_the_unclaimed`
    return run_test


def _agreement(known: Collection[str]) -> Callable[[Any], None]:
    def test_it_claims_what_its_suite_says(suite: Any) -> None:
        found = {feature for feature in known if not suite.harness.has(feature)}
        demand(found == set(suite.unclaimed), f"its suite is to say what it leaves: unclaimed = {_shown(found)}")

    return test_it_claims_what_its_suite_says


def _shown(features: Collection[str]) -> str:
    names = [f'"{feature}"' for feature in sorted(features)]
    return f"({names[0]},)" if len(names) == 1 else f"({', '.join(names)})"
