"""What the kit finds of one driver, for people, for programs and for tables; and the door that finds it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from uuid import uuid4

from celeriac.contracts.urls import mask_password
from celeriac.testing.conformance.backend import BackendHarness, BackendSuite
from celeriac.testing.conformance.broker import BrokerSuite
from celeriac.testing.conformance.broker_harness import BrokerHarness
from celeriac.testing.conformance.compressor import CompressorHarness, CompressorSuite
from celeriac.testing.conformance.pool import PoolSuite
from celeriac.testing.conformance.pool_harness import PoolHarness
from celeriac.testing.conformance.scheduler import SchedulerHarness, SchedulerSuite
from celeriac.testing.conformance.serializer import SerializerHarness, SerializerSuite
from celeriac.testing.conformance.suite import Harness, Level, Verdict, VerdictKind, chosen, judge, words_of


class _Kind(NamedTuple):
    suite: Any  # a class whose harness is yet to be given
    #: The harness of one test, of a URL or a name, that may keep files in a directory.
    harness: Callable[[str, Path], Harness]


def _scheduler(name: str, directory: Path) -> Harness:
    from celeriac.app.base import Celery  # only where a scheduler is checked

    app = Celery("conformance", broker="memory://", backend="memory://", set_as_current=False)
    return SchedulerHarness(name, app, schedule_filename=str(directory / uuid4().hex))


def _with_queues(queue_type: str, url: str, _: Path) -> Harness:
    return BrokerHarness(url, queue_type=queue_type)


_KINDS: Final[dict[str, _Kind]] = {
    "broker": _Kind(BrokerSuite, lambda url, _: BrokerHarness(url)),
    "backend": _Kind(BackendSuite, lambda url, _: BackendHarness(url)),
    "serializer": _Kind(SerializerSuite, lambda name, _: SerializerHarness(name)),
    "compressor": _Kind(CompressorSuite, lambda name, _: CompressorHarness(name)),
    "pool": _Kind(PoolSuite, lambda name, _: PoolHarness(name)),
    "scheduler": _Kind(SchedulerSuite, _scheduler),
}

#: The kinds of drivers that there is a suite for.
KINDS: Final = tuple(_KINDS)
#: Those whose drivers are reached by a URL; the others are named.
KINDS_BY_URL: Final = frozenset({"broker", "backend"})


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one driver; `subject` is the URL or name that was checked, without passwords.

    `queue_type` is the type of the queues, where that was chosen.
    """

    kind: str
    subject: str
    verdicts: tuple[Verdict, ...]
    queue_type: str = ""

    @property
    def title(self) -> str:
        """What was checked, for people."""
        return f"{self.kind} {self.subject}{f' ({self.queue_type})' if self.queue_type else ''}"

    @property
    def failed(self) -> int:
        """How many tests failed."""
        return self.count(VerdictKind.FAILED)

    def count(self, kind: VerdictKind) -> int:
        """How many tests ended so."""
        return sum(verdict.kind is kind for verdict in self.verdicts)

    def as_data(self) -> dict[str, Any]:
        """The same for programs: what `json.dumps` takes."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "queue_type": self.queue_type,
            "totals": {str(kind): self.count(kind) for kind in VerdictKind},
            "tests": [
                {
                    "test": verdict.test,
                    "level": str(verdict.level),
                    "verdict": str(verdict.kind),
                    "detail": verdict.detail,
                    "not_claimed": list(verdict.missing),
                }
                for verdict in self.verdicts
            ],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Report:
        """A report from what `as_data` gave.  Raises `KeyError` or `ValueError` for anything else."""
        return cls(
            data["kind"],
            data["subject"],
            tuple(
                Verdict(
                    found["test"],
                    VerdictKind(found["verdict"]),
                    found["detail"],
                    Level(found["level"]),
                    tuple(found["not_claimed"]),
                )
                for found in data["tests"]
            ),
            data["queue_type"],
        )


class Telling(Protocol):
    """Who wants to know how far a check is."""

    def begins(self, report: Report, tests: Sequence[str]) -> None:
        """The report to be, without a verdict, and the names of its tests in words."""

    def runs(self, test: str) -> None:
        """A test begins."""

    def ended(self, verdict: Verdict) -> None:
        """It has ended so."""


def check(
    kind: str,
    subject: str,
    up_to: Level = Level.OPTIONAL,
    only: str = "",
    telling: Telling | None = None,
    queue_type: str = "",
) -> Report:
    """Run the suite of a kind (one of `KINDS`) on the driver that a URL or a name means.

    `queue_type`, of a broker that has several, is that of the queues that are made (``x-queue-type``).
    Only the tests up to that level run, and those with `only` in their name, in words.  Raises nothing that a driver
    raises.
    """
    suite, harness = _KINDS[kind]
    if queue_type and kind == "broker":
        harness = partial(_with_queues, queue_type)
    report = Report(kind, mask_password(subject), (), queue_type)
    with tempfile.TemporaryDirectory() as place:
        case = type("Check", (suite,), {"make_harness": lambda _: harness(subject, Path(place))})
        names = chosen(case, up_to, only)
        if telling is None:
            return replace(report, verdicts=tuple(judge(case, name) for name in names))
        telling.begins(report, [words_of(name) for name in names])
        verdicts = []
        for name in names:
            telling.runs(words_of(name))
            verdicts.append(judge(case, name))
            telling.ended(verdicts[-1])
        return replace(report, verdicts=tuple(verdicts))
