"""Every public name of Celery: it is here, takes what Celery's takes, and a test shows what it does."""

from __future__ import annotations

import pytest
from celery_surface.markers import scan
from celery_surface.names import TESTS, names
from celery_surface.table import rows, stale, unknown


@pytest.fixture(scope="module")
def shown():
    return scan(TESTS)


@pytest.fixture(scope="module")
def table(shown):
    return rows(shown)


def test_every_public_name_is_here_takes_what_celerys_takes_and_is_shown_by_a_test(table):
    gaps = [f"{row.name.path}: {'; '.join(row.gaps)}" for row in table if row.gaps and row.excuse is None]

    assert gaps == [], "mend the name, mark the test that shows it, or excuse it in celery_surface/absences.py"


def test_no_excuse_outlives_its_gap(table):
    assert stale(table) == []


def test_every_marker_names_a_public_name(shown):
    assert unknown(shown) == []


def test_the_table_has_every_name_of_the_reference_list(table):
    assert len(table) == len(names()) > 1300
    assert {row.name.family for row in table} >= {"class", "member", "setting", "signal", "control", "option"}


def test_the_program_prints_the_table(pytestconfig, monkeypatch, capsys):
    from celery_surface.__main__ import main

    assert main() == 0
    printed = capsys.readouterr().out
    assert all(f" {path} " in printed for path in names())
    assert "0 gaps" in printed
