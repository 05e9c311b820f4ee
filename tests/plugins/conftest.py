"""What a conformance test finds is what the table of capabilities says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from celeriac.testing.conformance import BrokerSuite, VerdictKind
from celeriac.testing.conformance.suite import words_of
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
    section = "Brokers" if issubclass(item.cls, BrokerSuite) else "Result stores"
    said = _said(item.config.rootpath).get((section, column, words_of(item.originalname)))
    seen = MARKS[VerdictKind.PASSED if report.passed else VerdictKind.NOT_CLAIMED]
    if said != seen:
        report.outcome = "failed"
        report.longrepr = (
            f"docs/reference/capabilities.md says {said!r} of {column}, and it is {seen!r}: `make capabilities`"
        )
    return report
