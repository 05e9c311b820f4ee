"""What a conformance test finds is what the table of capabilities says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from celeriac.testing.conformance import BackendSuite, BrokerSuite, VerdictKind
from celeriac.testing.conformance.claims import AGREEMENT, needs_of
from celeriac.testing.conformance.suite import test_names, words_of
from celeriac.testing.conformance.table import MARKS

_ROW = re.compile(r"^\| (?P<test>[^|]*) \| [^|]+ \| (?P<marks>.*) \|$")


@cache
def _said(root: Path) -> dict[tuple[str, str, str], str]:
    """The marks of the page, by section, column and test."""
    section, columns, found = "", [], {}
    for line in (root / "docs" / "reference" / "capabilities.md").read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("| | level |"):
            columns = re.findall(r"`([^`]+)`", line)
        elif row := _ROW.match(line):
            marks = zip(columns, row["marks"].split(" | "), strict=True)
            found.update({(section, name, row["test"]): mark for name, mark in marks})
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Hold the outcome of a suite's test against the column of the page that its class names with `column`."""
    report = yield
    column = getattr(getattr(item, "cls", None), "column", None)
    if column is None or call.when != "call" or report.failed:
        return report
    suite = next(base for base in (BrokerSuite, BackendSuite) if issubclass(item.cls, base))
    section = "Brokers" if suite is BrokerSuite else "Result stores"
    # Of what is not claimed there may be no test; the one that there always is looks at these.
    names = test_names(suite) if item.originalname == AGREEMENT else [item.originalname]
    for name in names:
        said = _said(item.config.rootpath).get((section, column, words_of(name)))
        is_claimed = not needs_of(getattr(suite, name)) & set(item.cls.unclaimed)
        seen = MARKS[VerdictKind.PASSED if is_claimed else VerdictKind.NOT_CLAIMED]
        if said != seen:
            report.outcome = "failed"
            report.longrepr = (
                f"docs/reference/capabilities.md says {said!r} of {column} and {words_of(name)!r}, "
                f"and it is {seen!r}: `make capabilities`"
            )
    return report
