"""What all suites share: a harness per test, names of tests, verdicts, and a door for programs."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from enum import StrEnum
from functools import wraps
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from celeriac.testing.conformance.claims import is_of_the_unclaimed, with_unclaimed
from celeriac.testing.conformance.demands import KnownGap, NotClaimed, Violation, fail


class Level(StrEnum):
    """How much a test matters; each level takes in those before it."""

    #: Without it tasks are lost, doubled or held up: no driver may fail it.
    CORE = "core"
    #: What users of a task queue expect; a driver that lacks it says so.
    RECOMMENDED = "recommended"
    #: What a driver may have, and claims.
    OPTIONAL = "optional"
    #: The same promises under load, with processes that die; takes seconds.
    STRESS = "stress"


_Test = TypeVar("_Test", bound="Callable[..., None]")


def level(of: Level) -> Callable[[_Test], _Test]:
    """Say of a test how much it matters; those of which nothing is said are core."""

    def mark(test: _Test) -> _Test:
        test.level = of  # type: ignore[attr-defined]  # read by `level_of`
        return test

    return mark


class Harness(Protocol):
    """What stands between a suite and one driver; made anew for each test."""

    def close(self) -> None:
        """Release everything and leave nothing behind."""


class Suite(ABC):
    """Tests of one kind of driver: each method whose name begins with ``test_`` is one.

    The methods of pytest's own classes, so that a subclass is collected as it stands; nothing here needs pytest.
    """

    #: Tests that the driver fails for now, by name, and why.  One that passes after all fails until it is taken out.
    known_gaps: ClassVar[Mapping[str, str]] = {}
    #: What the driver does not claim, of what the suite's tests need.  There are no such tests then, or they pass where
    #: the driver does not do it; and one fails where the driver claims more or less than this says.
    unclaimed: ClassVar[Collection[str]] = ()

    _harness: Harness | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, reason in cls.__dict__.get("known_gaps", {}).items():
            test = getattr(cls, name, None)
            if test is None:
                raise TypeError(f"{cls.__name__}.known_gaps names {name!r}, and there is no such test")
            setattr(cls, name, _expected_to_fail(test, reason))
        if "unclaimed" in cls.__dict__:
            tests = {name: test for name in test_names(cls) if (test := _original_of(cls, name)) is not None}
            for name, test in tests.items():  # also those that the suite it is made from has none of
                setattr(cls, name, test)
            for name, test in with_unclaimed(tests, cls.unclaimed).items():
                setattr(cls, name, test)

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
    KNOWN_GAP = "known gap"


class Verdict(NamedTuple):
    """What came of one test: its name without ``test_``, in words; `detail` says why it did not pass.

    `missing` is what the driver would have to claim, by name.
    """

    test: str
    kind: VerdictKind
    detail: str = ""
    level: Level = Level.CORE
    missing: tuple[str, ...] = ()


def _expected_to_fail(test: Callable[..., None], reason: str) -> Callable[..., None]:
    @wraps(test)
    def run_test(suite: Suite) -> None:
        try:
            test(suite)
        except NotClaimed:
            raise
        except Exception as error:
            raise KnownGap(f"{reason} ({_explain(error)})") from error
        fail(f"it is among the known gaps ({reason}), and passes: take it out of known_gaps")

    return run_test


def _original_of(suite: type[Suite], name: str) -> Callable[..., None] | None:
    """A test as it was written, or made a known gap."""
    written = (vars(base).get(name) for base in suite.__mro__)
    return next((test for test in written if not is_of_the_unclaimed(test)), None)


def level_of(suite: type[Suite], name: str) -> Level:
    """How much a test matters."""
    found: Level = getattr(_original_of(suite, name), "level", Level.CORE)
    return found


def test_names(suite: type[Suite]) -> list[str]:
    """The tests of a suite, in the order in which they are written: its own, then those that it is made up of."""
    found = [name for base in suite.__mro__ for name in vars(base) if name.startswith("test_")]
    return list(dict.fromkeys(found))


# pytest would take it for a test where a test module imports it.
test_names.__test__ = False  # type: ignore[attr-defined]  # pytest's own convention, on a function


def words_of(name: str) -> str:
    """The name of a test as verdicts have it."""
    return name.removeprefix("test_").replace("_", " ")


def chosen(suite: type[Suite], up_to: Level = Level.STRESS, only: str = "") -> list[str]:
    """The tests up to that level with `only` in their name, in words."""
    levels = list(Level)[: list(Level).index(up_to) + 1]
    return [name for name in test_names(suite) if level_of(suite, name) in levels and only in words_of(name)]


def run(suite: type[Suite], up_to: Level = Level.STRESS, only: str = "") -> Iterator[Verdict]:
    """Run the tests of a suite that has a harness, one verdict at a time.  Raises nothing that a test raises.

    Only those up to that level run, and those with `only` in their name, in words.
    """
    for name in chosen(suite, up_to, only):
        yield judge(suite, name)


def judge(suite: type[Suite], name: str) -> Verdict:
    """What comes of one test.  Raises nothing that the test raises."""
    kind, detail = VerdictKind.PASSED, ""
    missing: tuple[str, ...] = ()
    try:
        if is_of_the_unclaimed(test := getattr(suite, name)):
            kind, detail = VerdictKind.NOT_CLAIMED, "its suite says so"
        if test is not None:
            _run_one(suite(), name)
    except NotClaimed as reason:
        kind, detail, missing = VerdictKind.NOT_CLAIMED, str(reason), reason.missing
    except KnownGap as reason:
        kind, detail = VerdictKind.KNOWN_GAP, str(reason)
    except Exception as error:  # noqa: BLE001  # a driver may raise anything, and that is its verdict
        kind, detail = VerdictKind.FAILED, _explain(error)
    return Verdict(words_of(name), kind, detail, level_of(suite, name), missing)


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
