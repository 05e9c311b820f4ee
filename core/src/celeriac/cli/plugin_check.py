"""Checks a plugin's drivers with the conformance kit, and prints what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from celeriac.contracts.urls import scheme_of
from celeriac.plugin import drivers, known
from celeriac.plugin.index import KERNEL, normalize
from celeriac.plugin.spelling import did_you_mean
from celeriac.protocol import compression
from celeriac.testing.conformance import KINDS, KINDS_BY_URL, Level, Report, Telling, Verdict, VerdictKind, check

if TYPE_CHECKING:
    from celeriac.plugin.manager import PluginManager


def run_checks(
    manager: PluginManager,
    name: str,
    url: str | None = None,
    kind: str | None = None,
    up_to: str = Level.OPTIONAL,
    only: str = "",
    telling: Telling | None = None,
    queue_type: str = "",
) -> list[Report]:
    """Check the drivers that `name` means: a distribution's, those under a driver's name, or those of a URL's scheme.

    `up_to` is the last level whose tests are run, and `only` a part of their names; with a `queue_type` only brokers
    are checked, on queues of that type.

    Raises `click.ClickException` if it means no driver or no test, and what resolving a driver raises.
    """
    if "://" in name:
        name, url = scheme_of(name), name
    kind = kind or ("broker" if queue_type else None)
    found = [pair for pair in _drivers_of(manager, name) if kind in (None, pair[0])]
    if url is not None:
        scheme = scheme_of(url)
        found = [(kind, driver) for kind, driver in found if kind in KINDS_BY_URL and driver == scheme]
    if not found:
        remedies = [remedy for each in KINDS if (remedy := known.remedy_for(each, name)) and kind in {None, each}]
        if remedies:
            raise click.ClickException(f"{name!r} is not installed. {remedies[0]}.")
        offered = {offered for kind in KINDS for offered in _names(manager, kind)}
        of_kind = f" of kind {kind}" if kind else ""
        raise click.ClickException(
            f"{name!r} means no installed driver{of_kind} that can be checked.{did_you_mean(name, offered)}"
        )
    reports = [_check(manager, kind, driver, url, Level(up_to), only, telling, queue_type) for kind, driver in found]
    if not any(report.verdicts for report in reports):
        raise click.ClickException(f"no test up to the level {up_to} has {only!r} in its name")
    return reports


def _drivers_of(manager: PluginManager, name: str) -> list[tuple[str, str]]:
    """Kind and name of the drivers that `name` means: the distribution's, and those of that name."""
    wanted = {normalize(name), normalize(f"{KERNEL}-{name}")}
    # Of several names for one class the shortest will do.
    chosen: dict[tuple[str, str], str] = {}
    for provider in manager.index.providers:
        if normalize(provider.name) in wanted:
            for offer in sorted(provider.offers, key=lambda offer: (len(offer.name), offer.name)):
                kind = drivers.kind_of(offer.group)
                if kind in KINDS:
                    chosen.setdefault((kind, offer.value), offer.name)
    found = [(kind, driver) for (kind, _), driver in chosen.items()]
    return list(dict.fromkeys([*found, *((kind, name) for kind in KINDS if name in _names(manager, kind))]))


def _names(manager: PluginManager, kind: str) -> list[str]:
    """What the drivers of a kind are called, those of the kernel itself that no distribution offers among them."""
    return [*manager.driver_names(kind), *(compression.names() if kind == "compressor" else ())]


def _check(
    manager: PluginManager,
    kind: str,
    driver: str,
    url: str | None,
    up_to: Level,
    only: str,
    telling: Telling | None,
    queue_type: str,
) -> Report:
    # What cannot be loaded is an error here, not in each test.
    found = manager.driver(kind, driver) if driver in manager.driver_names(kind) else None
    if kind == "broker" and not hasattr(found, "establish_connection"):
        raise click.ClickException(
            f"the broker {driver!r} must be a Kombu transport (a subclass of kombu.transport.base.Transport): {found!r}"
        )
    subject = (url or f"{driver}://") if kind in KINDS_BY_URL else driver
    return check(kind, subject, up_to, only, telling, queue_type)


class Printing:
    """Prints each test as it runs, so that one which hangs can be seen, and what came of it."""

    def __init__(self) -> None:
        self._width = 0

    def begins(self, report: Report, tests: Sequence[str]) -> None:
        self._width = max(map(len, tests), default=0)
        click.echo(report.title)

    def runs(self, test: str) -> None:
        click.echo(f"    {test:{self._width}}  ", nl=False)

    def ended(self, verdict: Verdict) -> None:
        click.echo(f"{verdict.kind!s:11}  {verdict.detail}".rstrip())


def print_totals(reports: Sequence[Report]) -> None:
    """Print how many tests of each driver ended how, and what to do about those that failed."""
    for report in reports:
        shown = [kind for kind in VerdictKind if kind is not VerdictKind.KNOWN_GAP or report.count(kind)]
        totals = ", ".join(f"{report.count(kind)} {kind}" for kind in shown)
        click.echo(f"{report.title}: {totals}")
    if any(report.failed for report in reports):
        click.echo(
            "For one test alone: --only WORDS. For tracebacks: its suite with pytest, see docs/reference/conformance.md"
        )
