"""The kernel is one: what runs tasks here was written by nobody of this project, and installed beside core alone.

A wheel of core and wheels of two foreign distributions (a broker; a result store, a serializer, a pool, an option and a
bootstep), whose drivers `celeriac plugins new` has written, go into a new environment without any plugin of ours.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import uuid
import venv
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import importlib_metadata
import pytest
from packaging.requirements import Requirement

from celeriac import Celery

PYPROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "acme-tasks"
version = "7.1"
dependencies = ["celeriac"]

[project.entry-points."celeriac.backends"]
drawer = "celeriac_drawer.backend:Store"

[project.entry-points."celeriac.serializers"]
packed = "celeriac_packed.serializer:CompressedSerializer"

[project.entry-points."celeriac.pools"]
crew = "celeriac_crew.pool:ThreadPool"

[project.entry-points."celeriac.plugins"]
acme = "acme_tasks.plugin"

[tool.setuptools.packages.find]
where = ["src"]
"""

PLUGIN = """
import click
from celeriac.plugin import Setting, hookimpl

@hookimpl
def celeriac_settings():
    yield Setting("acme_punctuation", str, "!", "What ends a greeting.")

@hookimpl
def celeriac_cli_options(command):
    if command == "worker":
        yield click.Option(["--acme-greeting"], help="Say this to whoever starts a worker.")

@hookimpl
def celeriac_worker_steps(app):
    from acme_tasks.greeter import Greeter
    return [Greeter]

@hookimpl
def celeriac_outcome_listeners(app):
    return [lambda outcome: print(f"outcome: {outcome.kind} of {outcome.task}", flush=True)]
"""

GREETER = """
from celeriac import bootsteps

class Greeter(bootsteps.StartStopStep):
    def __init__(self, parent, acme_greeting=None, **options):
        super().__init__(parent)
        self.greeting = acme_greeting

    def start(self, parent):
        print(f"{self.greeting}{parent.app.conf.acme_punctuation}", flush=True)

    def stop(self, parent):
        print("goodbye", flush=True)
"""

#: The names of the drivers that the command line writes.
STRANGERS = {"broker": "spool", "backend": "drawer", "serializer": "packed", "pool": "crew"}

TASKS = """
import threading
from celeriac import Celery

app = Celery(
    "tasks",
    broker="spool:///{directory}/queue",
    backend="drawer://{directory}/results",
    task_serializer="packed",
    result_serializer="packed",
    accept_content=["packed"],
    worker_pool="crew",
)

@app.task
def add(x, y):
    return x + y

@app.task
def where():
    return threading.current_thread().name

@app.task
def fail():
    raise ValueError("on purpose")
"""

SESSION = """
from tasks import add, fail, where

assert add.delay(2, 3).get(timeout=30) == 5
assert where.delay().get(timeout=30) == "crew"
results = [add.delay(number, number) for number in range(50)]
assert [result.get(timeout=30) for result in results] == [2 * number for number in range(50)]
try:
    fail.delay().get(timeout=30)
except ValueError as error:
    assert str(error) == "on purpose"
else:
    raise AssertionError("the error of the task did not arrive")
print("all is well")
"""


def build_wheels(to: Path, *sources: Path) -> None:
    # pip builds in the source directory, so it gets a copy.
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", to, *sources], check=True, timeout=120)


def requirements_of(distribution: str) -> set[str]:
    """What it needs, and what that needs, as installed here."""
    found, waiting = set(), [distribution]
    while waiting:
        for text in importlib_metadata.requires(waiting.pop()) or ():
            requirement = Requirement(text)
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and requirement.name not in found:
                found.add(requirement.name)
                waiting.append(requirement.name)
    return found


def link_requirements(binaries: Path, distribution: str) -> None:
    """Let an environment see what a distribution of ours requires of others, and nothing else of this one."""
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(binaries.parent)}))
    for name in requirements_of(distribution) - {"celeriac"}:
        distribution = importlib_metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in {"..", "__pycache__"}}
        for top in tops:
            link = site / top
            if not link.exists():
                link.symlink_to(distribution.locate_file(top))


@pytest.fixture
def environment(tmp_path: Path, pytestconfig: pytest.Config) -> Path:
    """A new environment with core from a wheel and the kernel's requirements; gives its ``bin``."""
    core = tmp_path / "core"
    shutil.copytree(pytestconfig.rootpath / "core", core, ignore=shutil.ignore_patterns("*.egg-info", "build"))
    build_wheels(tmp_path / "wheels", core)
    shutil.rmtree(core)
    directory = tmp_path / "environment"
    venv.create(directory, with_pip=False)
    link_requirements(directory / "bin", "celeriac")
    return directory / "bin"


def install(binaries: Path, wheels: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", binaries / "python", "install"]
    paths = sorted(wheels.glob("*.whl"))
    subprocess.run([*pip, "--quiet", "--no-index", "--no-deps", *paths], check=True, timeout=60)


def run(*argv: str | Path, cwd: Path, code: int = 0) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=60, env=clean_environ())
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def clean_environ() -> dict[str, str]:
    """The environment of this process without what would let other modules in."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}


def write(directory: Path, **texts: str) -> Path:
    directory.mkdir(parents=True)
    for name, text in texts.items():
        (directory / f"{name}.py").write_text(dedent(text))
    return directory


@pytest.fixture
def one_plugin_is_enough(
    environment: Path, tmp_path: Path, spawn, pytestconfig: pytest.Config, own_keys, leave_nothing
) -> Callable[..., None]:
    """Return ``one_plugin_is_enough(name, **settings)``: with core and that plugin tasks run, and it is gone again.

    Whatever else is asked for is an error that says what to install.
    """

    def check(plugin: str, **settings: Any) -> None:
        celeriac, work, queue = environment / "celeriac", tmp_path / f"only-{plugin}", f"alone-{uuid.uuid4().hex}"
        source = tmp_path / f"celeriac-{plugin}"
        ignored = shutil.ignore_patterns("*.egg-info", "build")
        shutil.copytree(pytestconfig.rootpath / "plugins" / plugin, source, ignore=ignored)
        build_wheels(tmp_path / f"wheel-{plugin}", source)
        link_requirements(environment, source.name)
        install(environment, tmp_path / f"wheel-{plugin}")
        settings.update(task_default_queue=queue, broker_transport_options=own_keys(queue) if plugin == "redis" else {})
        tasks = f"from celeriac import Celery\napp = Celery('tasks', **{settings!r})\n@app.task\ndef f(): return 7\n"
        write(work, tasks=tasks)

        worker = spawn(celeriac, "-A", "tasks", "worker", env=clean_environ(), cwd=work)
        worker.wait_for_output("tasks.f")
        assert run(environment / "python", "-c", "import tasks; print(tasks.f.delay().get(30))", cwd=work) == "7\n"
        assert "solo" in worker.output()
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0

        refusal = run(celeriac, "-A", "tasks", "worker", "--pool", "gevent", cwd=work, code=1)
        assert "pip install celeriac-gevent" in refusal
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", environment / "python"]
        subprocess.run([*pip, "uninstall", "--quiet", "--yes", source.name], check=True, timeout=60)
        if "broker" in settings:
            with Celery(set_as_current=False, **settings) as app:
                leave_nothing(app, queue)

    return check


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.covers("settings.result_serializer")
def test_tasks_run_through_a_broker_store_serializer_pool_option_and_step_of_strangers(
    environment, tmp_path, spawn, one_plugin_is_enough, redis_url, rabbitmq_url
):
    celeriac, work, wheels = environment / "celeriac", tmp_path / "work", tmp_path / "wheels"
    work.mkdir()
    install(environment, wheels)

    # Given core alone, which knows no broker and says what to install
    listed = json.loads(run(celeriac, "plugins", "list", "--json", cwd=work))
    assert [entry["distribution"] for entry in listed] == ["celeriac"]
    assert listed[0]["state"] == "ready", listed[0]["reason"]
    (work / "bare.py").write_text("from celeriac import Celery\napp = Celery('bare')\n@app.task\ndef f(): pass\n")
    refusal = run(environment / "python", "-c", "import bare; bare.f.delay()", cwd=work, code=1)
    assert "pip install celeriac-sqlite" in refusal
    refusal = run(celeriac, "-A", "bare", "-b", "redis://", "worker", cwd=work, code=1)
    assert "pip install celeriac-redis" in refusal

    # And core and one plugin, which run tasks
    one_plugin_is_enough("sqlite")
    one_plugin_is_enough("redis", broker=redis_url, backend=redis_url)
    one_plugin_is_enough("amqp", broker=rabbitmq_url, backend="rpc://")

    # And a broker as the command line writes it, and a distribution with all else, both installed from wheels
    acme = tmp_path / "acme"
    for kind, name in STRANGERS.items():
        run(celeriac, "plugins", "new", kind, name, "--directory", tmp_path / name, cwd=work)
        if kind != "broker":
            shutil.copytree(tmp_path / name / "src", acme / "src", dirs_exist_ok=True)
    write(acme / "src" / "acme_tasks", __init__="", plugin=PLUGIN, greeter=GREETER)
    (acme / "pyproject.toml").write_text(PYPROJECT)
    build_wheels(tmp_path / "strangers", tmp_path / STRANGERS["broker"], acme)
    install(environment, tmp_path / "strangers")
    listed = {
        entry["distribution"]: entry for entry in json.loads(run(celeriac, "plugins", "list", "--json", cwd=work))
    }
    assert {name: entry["state"] for name, entry in listed.items()} == {
        "celeriac": "ready",
        "celeriac-spool": "ready",
        "acme-tasks": "ready",
    }
    assert listed["celeriac-spool"]["drivers"] == {"broker": ["spool"]}
    assert listed["acme-tasks"]["drivers"] == {"backend": ["drawer"], "pool": ["crew"], "serializer": ["packed"]}
    assert "--acme-greeting" in run(celeriac, "worker", "--help", cwd=work)

    # When a worker runs on them, and tasks are sent
    (work / "tasks.py").write_text(TASKS.format(directory=tmp_path / "data"))
    worker = spawn(
        celeriac, "-A", "tasks", "worker", "--acme-greeting", "hello", "-l", "INFO", env=clean_environ(), cwd=work
    )
    worker.wait_for_output("ready.")
    (work / "session.py").write_text(SESSION)
    assert "all is well" in run(environment / "python", "session.py", cwd=work)

    # Then option and step have done their part, each delivery had an outcome, and the worker stops when asked
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    output = worker.output()
    assert "hello!" in output
    assert "goodbye" in output
    assert output.count("outcome: success of tasks.add") == 51
    assert output.count("outcome: failure of tasks.fail") == 1
    assert output.count("Traceback") <= 1  # that of the task which fails

    # And the kit, which is in the wheel of core, checks each of them by its name
    for kind, words in (("broker", "order"), ("backend", "many"), ("serializer", "unchanged"), ("pool", "once")):
        checked = run(celeriac, "plugins", "check", STRANGERS[kind], "--only", words, "--json", cwd=work)
        (report,) = json.loads(checked)
        assert report["kind"] == kind
        assert (report["totals"]["failed"], report["totals"]["passed"] > 0) == (0, True), checked
