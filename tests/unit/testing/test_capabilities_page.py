"""The table of capabilities is what the kit finds."""

from __future__ import annotations

import re

import pytest

from celeriac.testing.conformance import BackendSuite, BrokerSuite, Level
from celeriac.testing.conformance.suite import level_of, test_names
from celeriac.testing.conformance.table import render

REMEDY = "run `make capabilities`"


@pytest.fixture(scope="module")
def page(pytestconfig):
    return (pytestconfig.rootpath / "docs" / "reference" / "capabilities.md").read_text()


def rows(page):
    return re.findall(r"^\| ([^|`]+) \| (\w+) \| (.*) \|$", page, re.MULTILINE)


def test_it_has_every_test_with_its_level_and_no_driver_fails(page):
    expected = sorted(
        (name.removeprefix("test_").replace("_", " "), str(level_of(suite, name)))
        for suite in (BrokerSuite, BackendSuite)
        for name in test_names(suite)
    )
    assert sorted((test, level) for test, level, _ in rows(page)) == expected, REMEDY
    assert {mark for _, _, marks in rows(page) for mark in marks.split(" | ")} == {"yes", "-"}, REMEDY
    assert {level for _, level, _ in rows(page)} == set(Level)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("column", "scheme"), [(0, "memory"), (1, "sqlite"), (2, "redis")])
def test_each_column_is_what_the_kit_finds(page, column, scheme, tmp_path, redis_url):
    url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path / 'q.db'}", "redis": redis_url}[scheme]
    found = [(test, level, marks) for test, level, marks in rows(render([url]))]
    said = [(test, level, marks.split(" | ")[column]) for test, level, marks in rows(page)]
    assert found == said, REMEDY
