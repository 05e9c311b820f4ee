"""Workers whose children are new interpreters, on the embedded queue."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from celeriac.exceptions import WorkerLostError

HERE = Path(__file__).parent


@pytest.fixture
def app(monkeypatch):
    spec = importlib.util.spec_from_file_location("spawned_app", HERE / "spawned_app.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "spawned_app", module)
    spec.loader.exec_module(module)
    with module.app as app:
        yield app


WORKER = ["worker", "-P", "prefork", "-c", "2", "-l", "INFO", "--pool-start-method", "spawn"]
COMMANDS = {
    "by its module": ["-m", "celeriac", "-A", "spawned_app", *WORKER],
    "as the program": ["spawned_app.py", *WORKER],
}


@pytest.mark.covers(
    "cli.worker.--pool-start-method",
    "settings.worker_pool_start_method",
    "signals.worker_process_init",
    "signals.worker_process_shutdown",
    "signals.worker_before_create_process",
)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_tasks_run_in_new_interpreters_that_find_the_app(app, spawn, command):
    worker = spawn(sys.executable, *command, cwd=HERE)
    worker.wait_for_output("ready.")
    pid, parent, told, _, _ = app.send_task("where").get(timeout=20)
    assert pid != parent == worker.pid
    assert told == ["init"]
    with pytest.raises(LookupError, match="in a new interpreter"):
        app.send_task("raises").get(timeout=20)
    # One that dies is replaced by another.
    with pytest.raises(WorkerLostError):
        app.send_task("exits").get(timeout=20)
    assert app.send_task("where").get(timeout=20)[1] == worker.pid
    worker.signal(15)
    assert worker.wait() == 0
    assert worker.session_pids() == []
    output = worker.output()
    assert output.count("about to start a process from MainProcess") == 3
    assert "process True ends with 7" in output
    assert output.count("process True ends with 0") == 2


def test_an_app_that_no_module_has_is_refused_with_the_remedy(spawn, tmp_path):
    program = (
        "from celeriac import Celery\n"
        "def main():\n"
        "    app = Celery('hidden')\n"
        "    app.worker_main(['worker', '-P', 'prefork', '--pool-start-method', 'spawn'])\n"
        "main()\n"
    )
    (tmp_path / "program.py").write_text(program)
    worker = spawn(sys.executable, "program.py", cwd=tmp_path)
    assert worker.wait() != 0
    assert "no module has it as a global" in worker.output()
