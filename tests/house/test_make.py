"""The Makefile tells of all that it can do."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest


def test_make_help_lists_every_target(pytestconfig):
    if shutil.which("make") is None:
        pytest.skip("needs make")
    root = pytestconfig.rootpath
    [phony] = re.findall(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    shown = subprocess.run(["make", "help"], cwd=root, capture_output=True, text=True, check=True).stdout
    described = dict(re.findall(r"^  ([\w-]+) +(\S.*)$", shown, re.MULTILINE))
    assert list(described) == phony.split()


@pytest.mark.parametrize("interpreter", ["false", "no-such-python"])
def test_setup_names_the_remedy_when_python_is_too_old_or_missing(pytestconfig, tmp_path, interpreter):
    if shutil.which("make") is None:
        pytest.skip("needs make")
    arguments = [f"PYTHON={interpreter}", f"VENV={tmp_path / 'venv'}", "setup"]
    done = subprocess.run(["make", *arguments], cwd=pytestconfig.rootpath, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"needs Python 3.11 or newer and '{interpreter}' is not" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not (tmp_path / "venv").exists()
