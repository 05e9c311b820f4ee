"""`celeriac plugins new`: what it writes, and that pip takes it; tests/docs show that it passes its tests unchanged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib

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
    assert "cannot be the name of a driver" in output
    assert not (tmp_path / "here").exists()


def test_a_directory_with_something_in_it_is_left_alone(new, tmp_path):
    (tmp_path / "mine").write_text("precious")
    assert "is not empty" in new("broker", "spool", "--directory", str(tmp_path), code=1)
    assert files_of(tmp_path) == ["mine"]


@pytest.mark.parametrize("kind", ["backend", "serializer", "pool"])
def test_it_writes_other_kinds_of_drivers(new, tmp_path, kind):
    new(kind, "acme", "--directory", str(tmp_path / "here"))
    declared = tomllib.loads((tmp_path / "here" / "pyproject.toml").read_text())["project"]["entry-points"]
    ((group, entries),) = declared.items()
    assert group == f"celeriac.{kind}s"
    assert list(entries) == ["acme"]
    assert (tmp_path / "here" / "src" / "celeriac_acme" / f"{kind}.py").exists()


@pytest.mark.slow
def test_what_it_writes_is_installed_by_pip_and_checked_by_its_name(new, tmp_path):
    # Given a new broker, installed from its own directory beside what is installed here
    source, site = tmp_path / "celeriac-spool", tmp_path / "site"
    new("broker", "spool", "--directory", str(source))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(site), str(source)], check=True, timeout=60)
    # When the command line checks it by its URL
    check = subprocess.run(
        [sys.executable, "-m", "celeriac", "plugins", "check", "--json", "--only", "message", f"spool:///{tmp_path}/q"],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # Then it does what a broker must do
    assert check.returncode == 0, check.stdout + check.stderr
    (report,) = json.loads(check.stdout)
    assert (report["kind"], report["totals"]["failed"]) == ("broker", 0)
    assert report["totals"]["passed"] > 5
