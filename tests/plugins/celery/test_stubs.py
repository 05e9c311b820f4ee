"""What a type checker finds of ``celery``: the types of Celeriac."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import celery_stubs
import pytest

PROJECT = """\
from celery import Celery, chain, current_app, group, shared_task, signals, states
from celery.app.task import Context
from celery.backends.redis import RedisBackend
from celery.beat import PersistentScheduler, ScheduleEntry
from celery.bootsteps import StartStopStep
from celery.exceptions import Retry, SoftTimeLimitExceeded
from celery.result import AsyncResult, GroupResult
from celery.schedules import crontab
from celery.utils.log import get_task_logger
from celery.worker.control import Panel

app = Celery("proj")

@app.task
def add(x: int, y: int = 0) -> int:
    return x + y

@shared_task(bind=True)
def upper(self: object, text: str) -> str:
    return text.upper()

reveal_type(add.delay(1, 2).get())
reveal_type(upper.delay("x").get())
reveal_type(current_app)
reveal_type(crontab(minute="5"))
reveal_type(get_task_logger("proj"))
reveal_type(states.SUCCESS)
reveal_type(signals.task_prerun)
add.delay(2, "x")
Celery("proj", unknown_attribute.nothing)
from celery.worker.loops import asynloop
"""
#: What mypy must say of these lines: in their order.
TOLD = [
    'Revealed type is "int"',
    'Revealed type is "str"',
    'Revealed type is "celeriac.app.base.Celery"',
    'Revealed type is "celeriac.schedules.',
    'Revealed type is "logging.Logger"',
    "Revealed type is \"Literal['SUCCESS']",
    'Revealed type is "celeriac.signals.Signal"',
    'Argument 2 to "delay" of "Task" has incompatible type "str"; expected "int"',
    'Name "unknown_attribute" is not defined',
    'Cannot find implementation or library stub for module named "celery.worker.loops"',
]


def test_the_stubs_are_those_of_what_is_there():
    there = {
        str(path.relative_to(celery_stubs.PACKAGE)): path.read_text() for path in celery_stubs.PACKAGE.rglob("*.pyi")
    }
    expected = celery_stubs.stubs()

    assert sorted(there) == sorted(expected), "run `make stubs`"
    assert [path for path in expected if there[path] != expected[path]] == [], "run `make stubs`"


@pytest.mark.timeout(180)
def test_a_project_is_typed(tmp_path):
    (tmp_path / "proj.py").write_text(PROJECT)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", tmp_path / "cache"]
    done = subprocess.run([*command, "proj.py"], check=False, cwd=tmp_path, capture_output=True, text=True)

    lines = [line for line in done.stdout.splitlines() if "See https://mypy" not in line]
    assert len(lines) == len(TOLD), done.stdout + done.stderr
    for line, told in zip(lines, TOLD, strict=True):
        assert told in line.replace("builtins.", "")


@pytest.mark.timeout(180)
def test_a_wheel_has_them(tmp_path):
    plugin = celery_stubs.ROOT / "plugins" / "celery"
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, plugin]
    subprocess.run(command, check=True, capture_output=True)

    [wheel] = Path(tmp_path).glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"celery/{path}" for path in celery_stubs.stubs()} <= {*names}
