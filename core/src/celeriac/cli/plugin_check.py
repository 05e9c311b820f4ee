"""Checks a plugin's drivers with the conformance kit, and prints what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from celeriac.contracts.urls import mask_password, scheme_of
from celeriac.plugin import drivers
from celeriac.plugin.index import KERNEL, normalize
from celeriac.plugin.spelling import did_you_mean
from celeriac.testing.conformance import (
    BackendHarness,
    BackendSuite,
    BrokerHarness,
    BrokerSuite,
    Level,
    PoolHarness,
    PoolSuite,
    SerializerHarness,
    SerializerSuite,
    Suite,
    Verdict,
    VerdictKind,
    run,
)

if TYPE_CHECKING:
    from celeriac.plugin.manager import PluginManager

#: The suite of each kind, and its harness for a URL or a name.
_SUITES: Final[dict[str, tuple[type[Suite], Callable[[str], Any]]]] = {
    "broker": (BrokerSuite, BrokerHarness),
    "backend": (BackendSuite, BackendHarness),
    "serializer": (SerializerSuite, SerializerHarness),
    "pool": (PoolSuite, PoolHarness),
}

#: Kinds whose drivers are reached by a URL.
_BY_URL: Final = frozenset({"broker", "backend"})


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one driver; `subject` is the URL or name that was checked, without passwords."""

    kind: str
    subject: str
    verdicts: tuple[Verdict, ...]

    @property
    def failed(self) -> int:
        """How many tests failed."""
        return self.count(VerdictKind.FAILED)

    def count(self, kind: VerdictKind) -> int:
        """How many tests ended so."""
        return sum(verdict.kind is kind for verdict in self.verdicts)

    def as_data(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "tests": [
                {
                    "test": verdict.test,
                    "level": str(verdict.level),
                    "verdict": str(verdict.kind),
                    "detail": verdict.detail,
                }
                for verdict in self.verdicts
            ],
        }


def run_checks(
    manager: PluginManager, name: str, url: str | None, kind: str | None, up_to: str = Level.OPTIONAL
) -> list[Checked]:
    """Check the drivers that `name` means: a distribution's, those under a driver's name, or those of a URL's scheme.

    `up_to` is the last level whose tests are run.

    Raises `click.ClickException` if it means none, and what resolving a driver raises.
    """
    if "://" in name:
        name, url = scheme_of(name), name
    found = [pair for pair in _drivers_of(manager, name) if kind in (None, pair[0])]
    if url is not None:
        scheme = scheme_of(url)
        found = [(kind, driver) for kind, driver in found if kind in _BY_URL and driver == scheme]
    if not found:
        offered = {offered for kind in _SUITES for offered in manager.driver_names(kind)}
        of_kind = f" of kind {kind}" if kind else ""
        raise click.ClickException(
            f"{name!r} means no installed driver{of_kind} that can be checked.{did_you_mean(name, offered)}"
        )
    return [_check(manager, kind, driver, url, Level(up_to)) for kind, driver in found]


def _drivers_of(manager: PluginManager, name: str) -> list[tuple[str, str]]:
    """Kind and name of the drivers that `name` means: the distribution's, and those of that name."""
    wanted = {normalize(name), normalize(f"{KERNEL}-{name}")}
    # Of several names for one class the shortest will do.
    chosen: dict[tuple[str, str], str] = {}
    for provider in manager.index.providers:
        if normalize(provider.name) in wanted:
            for offer in sorted(provider.offers, key=lambda offer: (len(offer.name), offer.name)):
                kind = drivers.kind_of(offer.group)
                if kind in _SUITES:
                    chosen.setdefault((kind, offer.value), offer.name)
    found = [(kind, driver) for (kind, _), driver in chosen.items()]
    return list(dict.fromkeys([*found, *((kind, name) for kind in _SUITES if name in manager.driver_names(kind))]))


def _check(manager: PluginManager, kind: str, driver: str, url: str | None, up_to: Level) -> Checked:
    manager.driver(kind, driver)  # what cannot be loaded is an error here, not in each test
    suite, harness = _SUITES[kind]
    subject = (url or f"{driver}://") if kind in _BY_URL else driver
    case = type("Check", (suite,), {"make_harness": lambda _: harness(subject)})
    return Checked(kind, mask_password(subject), tuple(run(case, up_to)))


def print_report(report: Iterable[Checked]) -> None:
    """Print a table of the tests of each driver, and a line of totals."""
    for checked in report:
        click.echo(f"{checked.kind} {checked.subject}")
        width = max(len(verdict.test) for verdict in checked.verdicts)
        for verdict in checked.verdicts:
            click.echo(f"    {verdict.test:{width}}  {verdict.kind!s:11}  {verdict.detail}".rstrip())
        shown = [kind for kind in VerdictKind if kind is not VerdictKind.KNOWN_GAP or checked.count(kind)]
        totals = ", ".join(f"{checked.count(kind)} {kind}" for kind in shown)
        click.echo(f"    {totals}")
