"""What all suites share: a harness per test, names of tests, verdicts, and a door for programs."""

from __future__ import annotations

import traceback
import unittest
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from typing import Any, NamedTuple, NoReturn, Protocol


class NotClaimed(unittest.SkipTest):  # no error; pytest knows a SkipTest and reports it as skipped
    """The driver does not claim to do what the test is about."""


class Harness(Protocol):
    """What stands between a suite and one driver; made anew for each test."""

    def close(self) -> None:
        """Release everything and leave nothing behind."""


class Suite(ABC):
    """Tests of one kind of driver: each method whose name begins with ``test_`` is one.

    The methods of pytest's own classes, so that a subclass is collected as it stands; nothing here needs pytest.
    """

    _harness: Harness | None = None

    @abstractmethod
    def make_harness(self) -> Harness:
        """The harness for one test."""

    @property
    def harness(self) -> Any:
        """The harness of this test, made when it is first used: after pytest has set up the test's fixtures."""
        if self._harness is None:
            self._harness = self.make_harness()
        return self._harness

    def teardown_method(self) -> None:
        """Close the harness; called after each test, whatever came of it."""
        harness, self._harness = self._harness, None
        if harness is not None:
            harness.close()


class VerdictKind(StrEnum):
    """What can come of a test."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CLAIMED = "not claimed"


class Verdict(NamedTuple):
    """What came of one test: its name without ``test_``, in words; `detail` says why it did not pass."""

    test: str
    kind: VerdictKind
    detail: str = ""


def test_names(suite: type[Suite]) -> list[str]:
    """The tests of a suite, in the order in which they are written."""
    found: dict[str, None] = {}
    for base in reversed(suite.__mro__):
        found.update(dict.fromkeys(name for name in vars(base) if name.startswith("test_")))
    return list(found)


# pytest would take it for a test where a test module imports it.
test_names.__test__ = False  # type: ignore[attr-defined]  # pytest's own convention, on a function


def run(suite: type[Suite]) -> Iterator[Verdict]:
    """Run every test of a suite that has a harness, one verdict at a time.  Raises nothing that a test raises."""
    for name in test_names(suite):
        words = name.removeprefix("test_").replace("_", " ")
        try:
            _run_one(suite(), name)
        except NotClaimed as reason:
            yield Verdict(words, VerdictKind.NOT_CLAIMED, str(reason))
        except Exception as error:  # noqa: BLE001  # a driver may raise anything, and that is its verdict
            yield Verdict(words, VerdictKind.FAILED, _explain(error))
        else:
            yield Verdict(words, VerdictKind.PASSED)


def _run_one(suite: Suite, name: str) -> None:
    try:
        getattr(suite, name)()
    except Exception:
        # What the test found matters more than that tidying up after it fails as well.
        with suppress(Exception):
            suite.teardown_method()
        raise
    suite.teardown_method()


def _explain(error: Exception) -> str:
    if isinstance(error, Violation):
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"


class Violation(AssertionError):
    """A driver does not do what its contract says."""


def demand(condition: object, message: str) -> None:
    """Fail the test unless `condition` is true; `message` says what the contract demands and what was seen."""
    if not condition:
        fail(message)


def fail(message: str) -> NoReturn:
    """Fail the test."""
    raise Violation(message)
