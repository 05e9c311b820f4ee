"""A real Django project, copied for each test, with its database."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent / "project"


@pytest.fixture
def project(tmp_path) -> Path:
    directory = tmp_path / "project"
    shutil.copytree(PROJECT, directory, ignore=shutil.ignore_patterns("__pycache__"))
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=directory, check=True, timeout=60)
    return directory


@pytest.fixture
def start_worker(project, spawn) -> Callable:
    """Return ``start_worker(pool, env=None)``; the worker is the installed command, which knows no directory."""

    def start(pool: str, env: dict[str, str] | None = None):
        command = Path(sys.executable).with_name("celeriac")
        worker = spawn(command, "-A", "proj", "worker", "-P", pool, "-c", "1", "-l", "INFO", cwd=project, env=env)
        worker.wait_for_output("ready.", timeout=30)
        return worker

    return start


@pytest.fixture
def in_project(project, spawn) -> Callable:
    """Return ``in_project(code)``: runs it as a program of the project, gives what it set as ``answer``."""

    def run(code: str):
        program = "import django, json\ndjango.setup()\n" + code + "\nprint('answer=' + json.dumps(answer))"
        environment = {"DJANGO_SETTINGS_MODULE": "proj.settings"}
        spawned = spawn(sys.executable, "-c", program, cwd=project, env=environment)
        assert spawned.wait(40) == 0, spawned.output()
        return json.loads(spawned.output().rpartition("answer=")[2])

    return run
