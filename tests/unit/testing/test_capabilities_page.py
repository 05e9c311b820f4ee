"""The table of capabilities has every test; whether a column is right, the tests of its driver check as they run."""

from __future__ import annotations

import json
import re

import pytest

from celeriac.testing.conformance import (
    BackendSuite,
    BrokerSuite,
    CompressorSuite,
    Level,
    Report,
    Verdict,
    VerdictKind,
    check,
)
from celeriac.testing.conformance.claims import needs_of
from celeriac.testing.conformance.suite import level_of, test_names, words_of
from celeriac.testing.conformance.table import INSTEAD, main, read, render

REMEDY = "run `make capabilities`"


def rows(page):
    return re.findall(r"^\| ([^|`]+) \| (\w+) \| (.*) \|$", page, re.MULTILINE)


def test_it_has_every_test_with_its_level_and_no_driver_fails(pytestconfig):
    page = (pytestconfig.rootpath / "docs" / "reference" / "capabilities.md").read_text()
    expected = sorted(
        (words_of(name), str(level_of(suite, name)))
        for suite in (BrokerSuite, BackendSuite, CompressorSuite)
        for name in test_names(suite)
    )
    assert sorted((test, level) for test, level, _ in rows(page)) == expected, REMEDY
    assert {mark for _, _, marks in rows(page) for mark in marks.split(" | ")} == {"yes", "-"}, REMEDY
    assert {level for _, level, _ in rows(page)} == set(Level)


def test_the_list_of_plugins_has_each_of_them_and_what_brokers_may_do(pytestconfig):
    plugins = pytestconfig.rootpath / "plugins"
    page = (plugins / "README.md").read_text()
    named = re.findall(r"^\| \[`celeriac-([\w-]+)`\]\(([\w-]+)/README\.md\)", page, re.MULTILINE)
    assert named == [(path.parent.name,) * 2 for path in sorted(plugins.glob("*/pyproject.toml"))]
    whole = (pytestconfig.rootpath / "docs" / "reference" / "capabilities.md").read_text()
    brokers = whole.partition("## Brokers")[2].partition("## Result stores")[0]
    assert rows(page) == [row for row in rows(brokers) if row[1] in {"recommended", "optional"}], REMEDY


def test_what_brokers_may_do_is_written_between_the_marks_of_a_file(tmp_path):
    # Given a report, and files with and without marks
    report, readme, other = tmp_path / "report.json", tmp_path / "README.md", tmp_path / "other.md"
    report.write_text(json.dumps([check("broker", "memory://", only="pattern").as_data()]))
    begin, end = "<!-- capabilities: written by make capabilities -->", "<!-- end of capabilities -->"
    readme.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    other.write_text("nothing\n")
    # When it is written into them
    main(["--brokers-into", str(readme), str(report)])
    # Then it stands between the marks, and all else is as it was
    assert readme.read_text() == (
        f"before\n{begin}\n\n| | level | `memory` |\n|---|---|---|\n"
        f"| a topic exchange sends by pattern | recommended | yes |\n\n{end}\nafter\n"
    )
    with pytest.raises(ValueError, match="no line"):
        main(["--brokers-into", str(other), str(report)])


def test_it_is_made_from_the_reports_that_the_command_prints(tmp_path):
    # Given what the kit finds of two brokers, as JSON, one of which is made up
    found = check("broker", "memory://", only="queue")
    other = Report(
        "broker", "acme://x", tuple(each._replace(kind=VerdictKind.FAILED) for each in found.verdicts), "quorum"
    )
    for number, report in enumerate((found, other)):
        (tmp_path / f"{number}.json").write_text(json.dumps([report.as_data()]))
    # When the page is made of it
    page = render(read([str(tmp_path / "0.json"), str(tmp_path / "1.json")]))
    # Then each test has a row, and each broker a column
    assert "| | level | `memory` | `acme` (quorum) |" in page
    assert ("a purged queue is empty", "core", "yes | **fails**") in rows(page)
    assert len(rows(page)) == len(found.verdicts) > 3


def test_reports_of_different_tests_make_no_table():
    verdicts = (Verdict("one", VerdictKind.PASSED), Verdict("two", VerdictKind.PASSED))
    with pytest.raises(ValueError, match="shorter"):
        render([Report("broker", "a://", verdicts), Report("broker", "b://", verdicts[:1])])


def test_a_broker_is_checked_on_queues_of_the_type_that_is_named(rabbitmq_url):
    found = check("broker", rabbitmq_url, only="counted", queue_type="quorum")
    assert found.title.endswith(" (quorum)")
    verdicts = {each.test: each.kind for each in found.verdicts}
    assert verdicts["deliveries are counted"] is VerdictKind.PASSED
    plain = check("broker", rabbitmq_url, only="deliveries are counted")
    assert [each.kind for each in plain.verdicts] == [VerdictKind.NOT_CLAIMED]


def test_what_is_not_claimed_is_told_with_what_there_is_instead(pytestconfig, tmp_path):
    # Given what the kit finds of a broker that leaves things
    (tmp_path / "report.json").write_text(
        json.dumps([check("broker", "memory://", Level.STRESS, only="renewed").as_data()])
    )
    # When the page is made
    (row,) = re.findall(
        r"^\| `LEASES` \| (.*) \| (.*) \|$", render(read([str(tmp_path / "report.json")])), re.MULTILINE
    )
    # Then it says who leaves it and why nothing is lost by that; and so it is of all that a driver may leave
    assert row == ("`memory`", INSTEAD["LEASES"])
    tests = [getattr(suite, name) for suite in (BrokerSuite, BackendSuite) for name in test_names(suite)]
    assert INSTEAD.keys() == {feature for test in tests for feature in needs_of(test)}
    page = (pytestconfig.rootpath / "docs" / "reference" / "capabilities.md").read_text()
    for kind in ("## Brokers", "## Result stores"):
        part = page.partition(kind)[2].partition("\n## ")[0]
        assert ("| - |" in part) == ("| not claimed | by whom | instead |" in part), REMEDY
