"""Checks a plugin's drivers with the conformance kit, and prints what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from celeriac.contracts.urls import scheme_of
from celeriac.plugin import drivers
from celeriac.plugin.index import KERNEL, normalize
from celeriac.plugin.spelling import did_you_mean
from celeriac.testing.conformance import KINDS, KINDS_BY_URL, Level, Report, VerdictKind, check

if TYPE_CHECKING:
    from celeriac.plugin.manager import PluginManager


def run_checks(
    manager: PluginManager,
    name: str,
    url: str | None = None,
    kind: str | None = None,
    up_to: str = Level.OPTIONAL,
    only: str = "",
) -> list[Report]:
    """Check the drivers that `name` means: a distribution's, those under a driver's name, or those of a URL's scheme.

    `up_to` is the last level whose tests are run, and `only` a part of their names.

    Raises `click.ClickException` if it means no driver or no test, and what resolving a driver raises.
    """
    if "://" in name:
        name, url = scheme_of(name), name
    found = [pair for pair in _drivers_of(manager, name) if kind in (None, pair[0])]
    if url is not None:
        scheme = scheme_of(url)
        found = [(kind, driver) for kind, driver in found if kind in KINDS_BY_URL and driver == scheme]
    if not found:
        offered = {offered for kind in KINDS for offered in manager.driver_names(kind)}
        of_kind = f" of kind {kind}" if kind else ""
        raise click.ClickException(
            f"{name!r} means no installed driver{of_kind} that can be checked.{did_you_mean(name, offered)}"
        )
    reports = [_check(manager, kind, driver, url, Level(up_to), only) for kind, driver in found]
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
    return list(dict.fromkeys([*found, *((kind, name) for kind in KINDS if name in manager.driver_names(kind))]))


def _check(manager: PluginManager, kind: str, driver: str, url: str | None, up_to: Level, only: str) -> Report:
    manager.driver(kind, driver)  # what cannot be loaded is an error here, not in each test
    return check(kind, (url or f"{driver}://") if kind in KINDS_BY_URL else driver, up_to, only)


def print_report(reports: Iterable[Report]) -> None:
    """Print a table of the tests of each driver, and a line of totals."""
    for report in reports:
        click.echo(f"{report.kind} {report.subject}")
        width = max((len(verdict.test) for verdict in report.verdicts), default=0)
        for verdict in report.verdicts:
            click.echo(f"    {verdict.test:{width}}  {verdict.kind!s:11}  {verdict.detail}".rstrip())
        shown = [kind for kind in VerdictKind if kind is not VerdictKind.KNOWN_GAP or report.count(kind)]
        totals = ", ".join(f"{report.count(kind)} {kind}" for kind in shown)
        click.echo(f"    {totals}")
