"""The table: for each public name what it is here, and the gaps in it."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from celeriac.plugin.settings import Setting
from celery_surface import absences, places
from celery_surface.markers import Shown
from celery_surface.names import Name, names
from celery_surface.signatures import parse, refusals


@dataclass(frozen=True, slots=True)
class Row:
    """One name: whether it is here, how what it takes differs, the tests that show it, and what excuses the gaps."""

    name: Name
    exists: bool
    differences: tuple[str, ...]
    tests: tuple[str, ...]
    excuse: str | None

    @property
    def gaps(self) -> list[str]:
        """What is missing, in words; a name that is absent lacks nothing else."""
        if not self.exists:
            return ["is not here"]
        return [*self.differences, *(() if self.tests else ["no test shows it"])]


def rows(shown: Iterable[Shown]) -> list[Row]:
    """The whole table, in the order of the reference list."""
    by_name = _tests_by_name(shown)
    found = []
    for name in names().values():
        place = places.find(name)
        exists = place is not places.MISSING
        differences = tuple(_differences(name, place)) if exists else ()
        tests = tuple(by_name.get(name.path, ())) if exists else ()
        found.append(Row(name, exists, differences, tests, _excuse(name, exists, differences, tests)))
    return found


def unknown(shown: Iterable[Shown]) -> list[str]:
    """The names in markers that are in no reference list, with the nearest that is."""
    known = list(names())
    found = []
    for each in shown:
        for name in each.names:
            if name not in names():
                near = difflib.get_close_matches(name, known, n=1)
                found.append(f"{each.test}: {name}" + (f" (did you mean {near[0]}?)" if near else ""))
    return found


# -- what shows a name -------------------------------------------------------------------------------------------------


def _tests_by_name(shown: Iterable[Shown]) -> Mapping[str, list[str]]:
    direct: dict[str, list[str]] = {}
    for each in shown:
        for name in (*each.names, *_options(each)):
            direct.setdefault(name, []).append(each.test)
    shared: dict[Any, list[str]] = {}
    for name in names().values():
        if name.family == "member" and name.path in direct and (home := places.defined_in(name)) is not None:
            shared.setdefault((home, name.member), []).extend(direct[name.path])
    found: dict[str, list[str]] = {}
    for name in names().values():
        tests = direct.get(name.path, [])
        if not tests and name.family == "member":
            home = places.defined_in(name)
            tests = shared.get((home, name.member)) or (["(Python's dict)"] if home is dict else [])
        if tests:
            found[name.path] = tests
    return found


def _options(each: Shown) -> Iterator[str]:
    """The arguments of the command that a test is of, and the options that it writes out."""
    for name in names().values():
        if name.family == "argument" and name.owner in each.names:
            yield name.path
        if name.family == "option" and name.owner in each.names and not each.words.isdisjoint(name.takes):
            yield name.path


# -- what a name takes -------------------------------------------------------------------------------------------------


def _differences(name: Name, place: Any) -> list[str]:
    if name.family == "signal":
        missing, more = name.takes - place.providing_args, place.providing_args - name.takes
        return [f"lacks {one}" for one in sorted(missing)] + [
            f"has {one}, which is not Celery's" for one in sorted(more)
        ]
    if isinstance(place, Setting):
        return _default(name, place)
    if name.family in {"class", "member"} and name.takes and callable(place):
        return refusals(parse(name.takes), inspect.unwrap(getattr(place, "__func__", place)))
    return []


def _default(name: Name, place: Setting) -> list[str]:
    theirs = str(name.takes).replace("celery.", "celeriac.")
    if repr(place.default) == theirs:
        return []
    with suppress(ValueError, SyntaxError):
        if ast.literal_eval(theirs) == place.default:
            return []
    return [f"is {place.default!r} by default, not {theirs}"]


# -- what excuses a gap ------------------------------------------------------------------------------------------------


def _excuse(name: Name, exists: bool, differences: tuple[str, ...], tests: tuple[str, ...]) -> str | None:
    if not exists:
        return _matching(absences.ABSENT, name) or _matching(absences.ARRIVING, name)
    reasons = []
    if differences:
        reasons.append(_matching(absences.DIFFERENT, name))
    if not tests:
        reasons.append(_matching(absences.UNSHOWN, name))
    given = [reason for reason in reasons if reason is not None]
    return _matching(absences.ARRIVING, name) if len(given) < len(reasons) else "; ".join(given) or None


def _matching(table: Mapping[str, str], name: Name) -> str | None:
    return next((reason for pattern, reason in table.items() if fnmatchcase(name.path, pattern)), None)


def stale(table: list[Row]) -> list[str]:
    """The excuses that excuse nothing: their name has come, is as Celery's, or is shown by a test."""
    found = []
    for title, excuses, has_gap in (
        ("ABSENT", absences.ABSENT, lambda row: not row.exists),
        ("DIFFERENT", absences.DIFFERENT, lambda row: bool(row.differences)),
        ("UNSHOWN", absences.UNSHOWN, lambda row: row.exists and not row.tests),
    ):
        for pattern in excuses:
            matched = [row for row in table if fnmatchcase(row.name.path, pattern)]
            found += [f"{title}: {row.name.path} needs no excuse" for row in matched if not has_gap(row)]
            if not matched:
                found.append(f"{title}: {pattern} is no name of Celery's")
    for pattern in absences.ARRIVING:
        if not any(row.gaps for row in table if fnmatchcase(row.name.path, pattern)):
            found.append(f"ARRIVING: {pattern} has arrived")
    return found
