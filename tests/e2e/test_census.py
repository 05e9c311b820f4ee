"""The census of the standard library, as `make demo` and `make demo-crash` run it, on fewer files."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def census(pytestconfig):
    return pytestconfig.rootpath / "examples" / "stdlib_census"


@pytest.mark.slow
def test_the_census_counts_what_each_file_holds(census, spawn):
    demo = spawn(sys.executable, census / "demo.py", "--files", "60")
    assert demo.wait(timeout=50) == 0, demo.output()
    output = demo.output()
    assert "60 SUCCESS" in output
    assert "_pydecimal.py" in output
    assert "stopped with exit code 0" in output


@pytest.mark.slow
def test_the_census_is_complete_although_its_worker_was_killed(census, spawn):
    demo = spawn(sys.executable, census / "demo.py", "--crash", "--files", "120", env={"COLUMNS": "200"})
    assert demo.wait(timeout=50) == 0, demo.output()
    output = demo.output()
    assert "SIGKILL to the worker and its children after" in output
    assert "120 of 120 tasks succeeded, and the store holds 120 results of 120 tasks" in output


def test_the_census_shows_why_its_worker_did_not_start(census, spawn, tmp_path):
    # Given tasks that cannot be imported where the worker runs
    (tmp_path / "demo.py").write_text((census / "demo.py").read_text())
    tasks = (census / "tasks.py").read_text()
    broken = tasks + '\nimport sys\nif "worker" in sys.argv:\n    raise RuntimeError("no worker today")\n'
    (tmp_path / "tasks.py").write_text(broken)

    # When the census is taken, then it ends soon, with what the worker printed
    demo = spawn(sys.executable, tmp_path / "demo.py", "--files", "5")
    assert demo.wait(timeout=30) == 1
    assert "the worker ended by itself, with exit code 1" in demo.output()
    assert "no worker today" in demo.output()
