"""Tasks of a worker with processes, revoked from outside."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from celeriac.exceptions import TaskRevokedError

TASKS = """
import os, time
from celeriac import Celery, signals

app = Celery("proj", broker="sqlite:///queue.db", backend="sqlite:///queue.db")

@app.task
def nap(seconds, path=None):
    if path:
        with open(path, "w") as file:
            file.write(str(os.getpid()))
    time.sleep(seconds)
    return os.getpid()

@app.task(acks_late=True)
def late_nap(seconds, path=None):
    return nap(seconds, path)

@signals.task_revoked.connect
def told(request, terminated, signum, expired, **_):
    print(f"told {request.id} {terminated} {signum} {expired}", flush=True)
"""


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """The module with the tasks, here and for workers."""
    (tmp_path / "revoking_tasks.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "revoking_tasks", raising=False)
    import revoking_tasks

    yield revoking_tasks
    revoking_tasks.app.close()
    from celeriac import signals

    signals.task_revoked.disconnect(revoking_tasks.told)
    sys.modules.pop("revoking_tasks")


@pytest.fixture
def start(spawn, tmp_path):
    """Return ``start(*options)``: a worker of the tasks, ready."""

    def start_worker(*options):
        worker = spawn(
            *(sys.executable, "-m", "celeriac", "-A", "revoking_tasks", "worker", "-l", "INFO", "-c", "2", *options),
            cwd=tmp_path,
        )
        worker.wait_for_output("ready.")
        return worker

    return start_worker


@pytest.mark.parametrize("name", ["nap", "late_nap"])
@pytest.mark.covers("control.terminate", "app.control.Control.terminate", "app.control.Control.revoke")
def test_a_running_task_is_ended_by_a_signal_to_its_child_alone(tasks, start, wait_until, tmp_path, name):
    # Given two tasks that run
    worker = start()
    task = getattr(tasks, name)
    paths = [tmp_path / "first", tmp_path / "second"]
    ended, stays = task.delay(600, str(paths[0])), task.delay(2, str(paths[1]))
    wait_until(lambda: all(path.exists() and path.read_text() for path in paths), 20, "both run")
    child, other = (int(path.read_text()) for path in paths)

    # When one of them is revoked without a signal, then it goes on
    assert tasks.app.control.revoke(ended.id, reply=True, timeout=10, limit=1)
    assert os.path.exists(f"/proc/{child}")

    # When it is revoked with one, then its child ends and is replaced, and nobody else is harmed
    ((reply,),) = [answer.values() for answer in tasks.app.control.terminate(ended.id, reply=True, timeout=10, limit=1)]
    assert reply == {"ok": f"terminate: {ended.id}"}
    with pytest.raises(TaskRevokedError, match="terminated"):
        ended.get(timeout=20)
    assert ended.state == "REVOKED"
    assert stays.get(timeout=20) == other
    worker.wait_for_output(f"told {ended.id} True {int(signal.SIGTERM)} False")
    wait_until(lambda: not os.path.exists(f"/proc/{child}"), message="the child is gone")
    assert tasks.nap.delay(0).get(timeout=20) != child

    # And its message never comes back
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    start()
    assert tasks.nap.delay(0).get(timeout=20)
    assert ended.state == "REVOKED"


def test_tasks_that_wait_in_a_busy_worker_are_revoked_while_it_is_busy(tasks, start, wait_until, tmp_path):
    worker = start()
    busy = [tasks.nap.delay(3, str(tmp_path / f"busy-{number}")) for number in range(2)]
    wait_until(lambda: all((tmp_path / f"busy-{number}").exists() for number in range(2)), 20, "both children are busy")
    waiting = [tasks.nap.delay(0) for _ in range(5)]
    tasks.app.control.revoke([result.id for result in waiting])
    for result in waiting:
        with pytest.raises(TaskRevokedError, match="revoked"):
            result.get(timeout=20)
        worker.wait_for_output(f"told {result.id} False None False")
    assert all(result.get(timeout=20) for result in busy)
