"""Celery itself and `celeriac-celery` in one environment: whichever came last, it is said, and one can be kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

if not os.environ.get("BESIDE_CELERY"):
    pytest.skip("installs Celery: run `make beside-celery`", allow_module_level=True)

ROOT = Path(__file__).parents[2]
TOLD = "celery and celeriac-celery are both installed"
KEPT = {"celeriac": "celeriac.app.base", "celery": "celery.app.base"}

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    directory = tmp_path_factory.mktemp("wheels")
    for distribution in ("core", "plugins/celery", "plugins/memory"):
        command = [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            directory,
            ROOT / distribution,
        ]
        subprocess.run(command, check=True, capture_output=True)
    return directory


class Environment:
    def __init__(self, directory, wheels):
        self.bin, self.wheels, self.directory = directory / "bin", wheels, directory
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)

    def run(self, program, *words):
        command = [self.bin / program, *words]
        return subprocess.run(command, check=False, capture_output=True, text=True, cwd=self.directory)

    def pip(self, *words):
        done = self.run("python", "-m", "pip", "--disable-pip-version-check", *words)
        assert done.returncode == 0, done.stderr

    def install(self, what):
        if what == "celery":
            self.pip("install", "celery>=5.7,<5.8")
        else:
            self.pip("install", "--find-links", str(self.wheels), "celeriac-celery", "celeriac-memory")

    def home(self):
        return self.run("python", "-c", "from celery import Celery; print(Celery.__module__)")


@pytest.fixture(params=["celery first", "celeriac first"])
def environment(request, tmp_path, wheels):
    environment = Environment(tmp_path / "env", wheels)
    for each in ("celery", "celeriac") if request.param == "celery first" else ("celeriac", "celery"):
        environment.install(each)
    environment.last = "celeriac" if request.param == "celery first" else "celery"
    return environment


@pytest.mark.parametrize("kept", ["celeriac", "celery"])
def test_it_is_said_and_one_can_be_kept(environment, kept):
    found = environment.home()
    assert found.stdout.strip() == KEPT[environment.last]
    if environment.last == "celeriac":
        [line] = found.stderr.splitlines()
        assert TOLD in line
    for program, words in [
        ("celeriac", ("-b", "memory://", "report")),
        ("celery", ("-b", "memory://", "report")),
        ("python", ("-c", "from celeriac import Celery; Celery('a', broker='memory://').plugins.states()")),
    ]:
        done = environment.run(program, *words)
        lines = [line for line in done.stderr.splitlines() if TOLD in line]
        assert len(lines) == 1, (program, words, done.stderr)
    doctor = environment.run("celeriac", "-b", "memory://", "doctor")
    assert TOLD in doctor.stderr
    assert (TOLD in doctor.stdout) is (environment.last == "celery")

    # Then what the line says is done
    remedy = next(line for line in lines[0].split("Keep one. ")[1].split(". ") if line.lower().startswith(kept + ":"))
    for command in remedy.partition(": ")[2].removesuffix(".").split(" && "):
        words = command.removeprefix("pip ").split()
        environment.pip(*words, *(["--find-links", str(environment.wheels)] if words[0] == "install" else []))
    alone = environment.home()
    assert alone.stdout.strip() == KEPT[kept]
    assert alone.stderr == ""
    assert TOLD not in environment.run("celery", "report").stderr
