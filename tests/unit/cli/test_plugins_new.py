"""`celeriac plugins new`: the distribution that it writes installs and passes its tests unchanged."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from celeriac.cli.plugins import plugins


@pytest.fixture
def new():
    def call(*arguments, code=0):
        result = CliRunner().invoke(plugins, ["new", *arguments])
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    return call


def files_of(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_it_writes_a_distribution_and_says_what(new, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = new("broker", "spool")
    assert files_of(tmp_path / "celeriac-spool") == [
        "README.md",
        "pyproject.toml",
        "src/celeriac_spool/__init__.py",
        "src/celeriac_spool/broker.py",
        "src/celeriac_spool/py.typed",
        "tests/test_conformance.py",
    ]
    assert output.splitlines() == [f"celeriac-spool/{name}" for name in files_of(tmp_path / "celeriac-spool")]


def test_names_of_several_words_become_one_package(new, tmp_path):
    new("broker", "my+own-spool", "--directory", str(tmp_path / "here"))
    assert (tmp_path / "here" / "src" / "celeriac_my_own_spool" / "broker.py").exists()
    assert '"my+own-spool" = "celeriac_my_own_spool.broker:Transport"' in (tmp_path / "here/pyproject.toml").read_text()


@pytest.mark.parametrize("name", ["My", "1st", "a_b", "a b", "../up", "", "a/b", "-a", "a-"])
def test_a_name_that_cannot_be_a_scheme_is_refused(new, tmp_path, name):
    output = new("broker", "--directory", str(tmp_path / "here"), "--", name, code=1)
    assert "cannot be the scheme of a URL" in output
    assert not (tmp_path / "here").exists()


def test_a_directory_with_something_in_it_is_left_alone(new, tmp_path):
    (tmp_path / "mine").write_text("precious")
    assert "is not empty" in new("broker", "spool", "--directory", str(tmp_path), code=1)
    assert files_of(tmp_path) == ["mine"]


@pytest.mark.slow
def test_what_it_writes_installs_and_passes_its_tests_unchanged(new, tmp_path):
    # Given a new broker, installed from its own directory beside what is installed here
    source, site = tmp_path / "celeriac-spool", tmp_path / "site"
    new("broker", "spool", "--directory", str(source))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(site), str(source)], check=True, timeout=60)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    # When its tests run
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # Then they pass
    assert tests.returncode == 0, tests.stdout
    assert " passed" in tests.stdout
    # And the command line checks it by its name
    check = subprocess.run(
        [sys.executable, "-m", "celeriac", "plugins", "check", "--json", f"spool:///{tmp_path}/queue"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert check.returncode == 0, check.stdout + check.stderr
    (report,) = json.loads(check.stdout)
    assert report["kind"] == "broker"
    assert [test for test in report["tests"] if test["verdict"] == "failed"] == []
