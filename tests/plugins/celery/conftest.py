"""The project that was written for Celery, as if it had been installed."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

import pytest

# Makes `celery_stubs` importable, which is a program as well (``make stubs``).
sys.path.insert(0, str(Path(__file__).parent))

EXISTING = Path(__file__).parents[3] / "examples" / "existing"


@pytest.fixture
def project(tmp_path):
    """Return the directory of a copy, with the metadata that pip would write."""
    directory = tmp_path / "project"
    shutil.copytree(EXISTING, directory, ignore=shutil.ignore_patterns("__pycache__"))
    described = tomllib.loads((directory / "pyproject.toml").read_text())["project"]
    info = directory / "existing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: existing\nVersion: 1.0\n")
    groups = described["entry-points"].items()
    lines = [line for name, offers in groups for line in (f"[{name}]", *(f"{key} = {offers[key]}" for key in offers))]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return directory


@pytest.fixture
def run(project, spawn, tmp_path):
    """Return ``run(broker, *words)``: a process of the project, of our ``celery`` or of Python."""

    def run(broker, program, *words):
        found = sys.executable if program == "python" else str(Path(sys.executable).with_name(program))
        env = {"PYTHONPATH": str(project), "SHOP_BROKER": broker, "SHOP_RESULTS": str(tmp_path / "results")}
        return spawn(found, *words, env=env, cwd=project)

    return run
