"""The kernel is one: what runs tasks here was written by nobody of this project, and installed beside core alone.

A wheel of core and wheels of two foreign distributions (a broker as `celeriac plugins new` writes it; a result store, a
serializer, a pool, a command line option and a bootstep) go into a new environment without any first-party plugin.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from textwrap import dedent

import importlib_metadata
import pytest
from packaging.requirements import Requirement

PYPROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "acme-tasks"
version = "7.1"
dependencies = ["celeriac"]

[project.entry-points."celeriac.backends"]
acme = "acme_tasks.store:Store"

[project.entry-points."celeriac.serializers"]
acme = "acme_tasks.serializer:Backwards"

[project.entry-points."celeriac.pools"]
acme = "acme_tasks.pool:OneThread"

[project.entry-points."celeriac.plugins"]
acme = "acme_tasks.plugin"

[tool.setuptools]
packages = ["acme_tasks"]
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

STORE = '''
import os
import time
from pathlib import Path
from celeriac.contracts import Backend, ResultWatcher

class Store(Backend):
    """A file for each result, in the directory that stands in the URL after ``acme://``."""

    def __init__(self, app, url):
        super().__init__(app, url)
        self.directory = Path(url.partition("://")[2])

    def _path(self, task_id):
        return self.directory / f"{task_id}.result"

    def store(self, results):
        self.directory.mkdir(parents=True, exist_ok=True)
        for result in results:
            found = self.fetch([result.task_id]).get(result.task_id)
            if found is not None and found["status"] == "SUCCESS":
                continue
            _, _, data = self.app.serializers.encode(result.meta, self.app.conf.result_serializer)
            unfinished = self._path(result.task_id).with_suffix(".unfinished")
            unfinished.write_bytes(data)
            # The time of the file is that until which the result is kept.
            kept = self.app.conf.result_expires if result.expires is None else result.expires
            until = time.time() + (kept or 10**9)
            os.utime(unfinished, (until, until))
            unfinished.rename(self._path(result.task_id))

    def fetch(self, task_ids):
        serializer = self.app.serializers.get(self.app.conf.result_serializer)
        found = {}
        for task_id in task_ids:
            path = self._path(task_id)
            try:
                if path.stat().st_mtime > time.time():
                    found[task_id] = serializer.loads(path.read_bytes())
            except FileNotFoundError:
                continue
        return found

    def delete(self, task_ids):
        for task_id in task_ids:
            self._path(task_id).unlink(missing_ok=True)

    def watch(self):
        return Watcher(self)

    def as_uri(self, include_password=False):
        return self.url if include_password else "acme://"

class Watcher(ResultWatcher):
    def __init__(self, store):
        self.store = store
        self.seen = {}

    def add(self, task_ids):
        for task_id in task_ids:
            self.seen.setdefault(task_id, None)

    def wait(self, timeout):
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            found = [meta for key, meta in self.store.fetch(self.seen).items() if self.seen[key] != meta]
            self.seen.update({meta["task_id"]: meta for meta in found})
            if found or (deadline is not None and time.monotonic() >= deadline):
                return found
            time.sleep(0.01)

    def close(self):
        self.seen = {}
'''

SERIALIZER = '''
import json
from celeriac.contracts import Serializer
from celeriac.exceptions import ProtocolError, SerializationError

class Backwards(Serializer):
    """JSON, last byte first."""

    name = "acme"
    content_type = "application/x-acme"
    content_encoding = "binary"

    def dumps(self, value):
        try:
            return json.dumps(value).encode()[::-1]
        except TypeError as error:
            raise SerializationError(str(error)) from error

    def loads(self, data):
        try:
            return json.loads(bytes(data)[::-1])
        except (ValueError, RecursionError) as error:
            raise ProtocolError(str(error)) from error
'''

POOL = '''
import os
import threading
from collections import deque
from queue import SimpleQueue
from celeriac.contracts import Pool

class OneThread(Pool):
    """Runs jobs in one thread, and tells the loop by a pipe."""

    name = "acme"
    thread = None

    def __init__(self, context):
        super().__init__(context)
        context.concurrency = 1

    def start(self, loop, on_reports):
        self.loop, self.on_reports = loop, on_reports
        self.jobs, self.reports, self.open = SimpleQueue(), deque(), 0
        self.reader, self.writer = os.pipe()
        loop.add_reader(self.reader, self._arrived)
        self.thread = threading.Thread(target=self._run, name="acme", daemon=True)
        self.thread.start()

    def _run(self):
        executor = self.context.executor()
        while (job := self.jobs.get()) is not None:
            self.reports.extend(executor.flush([executor.run(job)]))
            os.write(self.writer, b".")
        executor.close()

    def _arrived(self):
        os.read(self.reader, 4096)
        reports = [self.reports.popleft() for _ in range(len(self.reports))]
        self.open -= len(reports)
        if reports:
            self.on_reports(reports)

    def room(self):
        return 16 - self.open

    def submit(self, jobs):
        self.open += len(jobs)
        for job in jobs:
            self.jobs.put(job)

    def running(self):
        return self.open

    def stop(self):
        thread, self.thread = self.thread, None
        if thread is not None:
            self.loop.remove_reader(self.reader)
            self.jobs.put(None)
            thread.join()
            os.close(self.reader)
            os.close(self.writer)

    terminate = stop
'''

TASKS = """
import threading
from celeriac import Celery

app = Celery(
    "tasks",
    broker="acme:///{directory}/queue",
    backend="acme://{directory}/results",
    task_serializer="acme",
    result_serializer="acme",
    accept_content=["acme"],
    worker_pool="acme",
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
assert where.delay().get(timeout=30) == "acme"
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


def kernel_requirements() -> set[str]:
    """The distributions that core needs, and those that these need, as installed here."""
    found, waiting = set(), ["celeriac"]
    while waiting:
        for text in importlib_metadata.requires(waiting.pop()) or ():
            requirement = Requirement(text)
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and requirement.name not in found:
                found.add(requirement.name)
                waiting.append(requirement.name)
    return found


def link_requirements(site: Path) -> None:
    """Let a site see the kernel's requirements of this environment, and nothing else of it."""
    for name in kernel_requirements():
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
    link_requirements(Path(sysconfig.get_path("purelib", "venv", {"base": str(directory)})))
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


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.covers("settings.result_serializer")
def test_tasks_run_through_a_broker_store_serializer_pool_option_and_step_of_strangers(environment, tmp_path, spawn):
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

    # And a broker as the command line writes it, and a distribution with all else, both installed from wheels
    run(celeriac, "plugins", "new", "broker", "acme", "--directory", tmp_path / "celeriac-acme", cwd=work)
    package = write(
        tmp_path / "acme" / "acme_tasks",
        __init__="",
        plugin=PLUGIN,
        greeter=GREETER,
        store=STORE,
        serializer=SERIALIZER,
        pool=POOL,
    )
    (package.parent / "pyproject.toml").write_text(PYPROJECT)
    build_wheels(tmp_path / "strangers", tmp_path / "celeriac-acme", package.parent)
    install(environment, tmp_path / "strangers")
    listed = {
        entry["distribution"]: entry for entry in json.loads(run(celeriac, "plugins", "list", "--json", cwd=work))
    }
    assert {name: entry["state"] for name, entry in listed.items()} == {
        "celeriac": "ready",
        "celeriac-acme": "ready",
        "acme-tasks": "ready",
    }
    assert listed["celeriac-acme"]["drivers"] == {"broker": ["acme"]}
    assert listed["acme-tasks"]["drivers"] == {"backend": ["acme"], "pool": ["acme"], "serializer": ["acme"]}
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

    # And each of the strangers passes the smoke level of the kit
    for kind, *given in (
        ("broker", "--url", f"acme:///{tmp_path}/checked-queue"),
        ("backend", "--url", f"acme://{tmp_path}/checked-results"),
        ("serializer",),
        ("pool",),
    ):
        (report,) = json.loads(run(celeriac, "plugins", "check", "acme", "--kind", kind, *given, "--json", cwd=work))
        assert [test for test in report["tests"] if test["verdict"] == "failed"] == []
        assert sum(test["verdict"] == "passed" for test in report["tests"]) >= 7
