"""Each signal, as a worker from the command line and its clients send it: when, and with which arguments."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

SURFACE = json.loads((Path(__file__).parents[1] / "data" / "celery-surface.json").read_text())

#: What is sent besides the list, which has only what a signal declares: as Celery's documentation promises, and for
#: `after_task_publish` all that `before_task_publish` is told of the message.
UNDECLARED = {
    "worker_shutting_down": {"sig", "how", "exitcode"},
    "worker_process_shutdown": {"pid", "exitcode"},
    "task_postrun": {"state"},
    "after_task_publish": {"headers", "properties", "retry_policy"},
}
APP = '''
import json, os, signal, sys, time
from celeriac import Celery, signals
from celeriac.plugin import hookimpl

app = Celery("heard", task_publish_retry_policy={"max_retries": 1})
HEARD = os.environ["HEARD"]


def hear(name):
    def receiver(signal, sender, **named):
        with open(HEARD, "a") as file:
            file.write(json.dumps([name, sorted(named), str(sender)]) + "\\n")
    getattr(signals, name).connect(receiver, weak=False)


for name in json.loads(os.environ["SIGNALS"]):
    hear(name)


class Broken:
    """A plugin that cannot say what it adds around a task."""

    @hookimpl
    def celeriac_execute_middleware(self, app):
        raise RuntimeError("broken plugin")


if os.environ.get("BREAK"):
    app.plugins.register(Broken())


@app.task(name="good")
def good():
    return 1


@app.task(name="bad")
def bad():
    raise LookupError("bad")


class Noting(app.Task):
    abstract = True

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        self.note("on_failure", type(exc).__name__, args, "Traceback" in str(einfo))

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        self.note("after_return", status, args, einfo.exception is retval)

    def note(self, *said):
        with open(os.path.join(os.path.dirname(HEARD), "handlers.txt"), "a") as file:
            file.write("|".join(map(str, said)) + "\\n")


@app.task(name="hang", base=Noting)
def hang(x):
    time.sleep(60)


@app.task(name="die", base=Noting)
def die():
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="again", bind=True, max_retries=1, default_retry_delay=0)
def again(self):
    if not self.request.retries:
        raise self.retry()
'''


@pytest.fixture
def heard(tmp_path, spawn, wait_until):
    """Return ``heard(signals, *calls)``: what receivers of `signals` got while a worker ran and `calls` were sent."""
    (tmp_path / "heard.py").write_text(APP)
    log = tmp_path / "heard.jsonl"

    def run(signals, *calls, **environment):
        log.write_text("")
        environment.update(HEARD=str(log), SIGNALS=json.dumps(list(signals)), PYTHONPATH=str(tmp_path))
        worker = spawn(
            sys.executable, "-m", "celeriac", "-A", "heard", "worker", "-c", "1", "-P", "prefork", env=environment
        )
        wait_until(lambda: "worker_ready" in log.read_text(), timeout=20, message="the worker is ready")
        for call, awaited in calls:
            client = spawn(sys.executable, "-c", f"from heard import *\n{call}", env=environment)
            assert client.wait(20) == 0, client.output()
            wait_until(lambda name=awaited: f'["{name}"' in log.read_text(), timeout=20, message=f"{awaited} is sent")
        worker.signal(15)
        assert worker.wait(20) == 0
        found = {}
        for line in log.read_text().splitlines():
            name, arguments, sender = json.loads(line)
            found.setdefault(name, []).append((set(arguments), sender))
        return found

    return run


def check(found, name):
    assert name in found, f"{name} was not sent"
    wanted = set(SURFACE["signals"][name]) | UNDECLARED.get(name, set())
    assert all(arguments == wanted for arguments, _ in found[name]), found[name]


MESSAGES = {
    "good.delay()": "before_task_publish after_task_publish task_received task_prerun task_success task_postrun",
    "bad.delay()": "task_failure",
    "again.delay()": "task_retry",
    "app.send_task('nobody.knows')": "task_unknown",
    "good.apply_async(expires=-1)": "task_revoked",
    "app.connection_for_write().SimpleQueue('celery').put({'no': 'task'})": "task_rejected",
}


@pytest.mark.covers(
    "signals.before_task_publish",
    "signals.after_task_publish",
    "signals.task_received",
    "signals.task_prerun",
    "signals.task_success",
    "signals.task_postrun",
    "signals.task_failure",
    "signals.task_retry",
    "signals.task_unknown",
    "signals.task_revoked",
    "signals.task_rejected",
)
def test_what_happens_to_messages_is_told_with_celerys_arguments(heard):
    signals = [name for names in MESSAGES.values() for name in names.split()]

    found = heard(["worker_ready", *signals], *[(call, names.split()[-1]) for call, names in MESSAGES.items()])

    for name in signals:
        check(found, name)
    # A task's signals name the task as their sender, those of publishing its name.
    assert any(sender == "good" for _, sender in found["before_task_publish"])
    assert all("good" in sender or "again" in sender for _, sender in found["task_success"])


def test_a_task_whose_process_was_ended_or_has_died_is_told_of_as_a_failure_too(heard, tmp_path):
    calls = [
        ("hang.apply_async((7,), time_limit=0.5)", "task_failure"),
        ("die.delay()", "task_failure"),
        ("good.apply_async(expires=-1)", "task_revoked"),
    ]
    found = heard(["worker_ready", "task_failure", "task_revoked"], *calls)

    check(found, "task_failure")
    assert ["hang" in sender for _, sender in found["task_failure"]] == [True, False]
    assert "die" in found["task_failure"][1][1]
    # The task itself is told, and is who sends the signals, so that one may listen to it alone.
    said = [line.split("|") for line in (tmp_path / "handlers.txt").read_text().splitlines()]
    assert said == [
        ["on_failure", "TimeLimitExceeded", "[7]", "True"],
        ["after_return", "FAILURE", "[7]", "True"],
        ["on_failure", "WorkerLostError", "[]", "True"],
        ["after_return", "FAILURE", "[]", "True"],
    ]
    assert [sender for _, sender in found["task_revoked"]] == ["<@task: good of heard>"]


@pytest.mark.covers("signals.task_internal_error")
def test_a_failure_outside_of_the_tasks_own_code_is_told(heard):
    found = heard(["worker_ready", "task_internal_error"], ("good.delay()", "task_internal_error"), BREAK="1")

    check(found, "task_internal_error")


LIFE = (
    "celeryd_init",
    "celeryd_after_setup",
    "worker_init",
    "worker_process_init",
    "worker_ready",
    "worker_shutting_down",
    "worker_process_shutdown",
    "worker_shutdown",
)


@pytest.mark.covers("pools.prefork", "cli.worker")
@pytest.mark.covers(
    "signals.celeryd_init",
    "signals.celeryd_after_setup",
    "signals.worker_init",
    "signals.worker_process_init",
    "signals.worker_ready",
    "signals.worker_shutting_down",
    "signals.worker_process_shutdown",
    "signals.worker_shutdown",
    "signals.after_setup_logger",
    "signals.after_setup_task_logger",
)
def test_the_life_of_a_worker_is_told_in_order(heard):
    found = heard([*LIFE, "after_setup_logger", "after_setup_task_logger"])

    for name in (*LIFE, "after_setup_logger", "after_setup_task_logger"):
        check(found, name)
    order = [name for name in found if name in LIFE and "process" not in name]
    assert order == [name for name in LIFE if "process" not in name]


@pytest.mark.covers("signals.setup_logging")
def test_who_listens_to_setup_logging_sets_it_up_alone(heard):
    found = heard(["worker_ready", "setup_logging", "after_setup_logger"])

    check(found, "setup_logging")
    assert "after_setup_logger" not in found
