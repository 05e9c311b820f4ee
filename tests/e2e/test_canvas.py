"""Canvases through a worker of its own, with processes for its tasks, on the embedded queue and on Redis."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from redis import Redis

from celeriac import chain, chord, group
from celeriac.exceptions import ProtocolError

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("celeriac_laws", HERE.parent / "unit" / "canvas" / "canvases.py")
canvases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(canvases)


class Diary:
    """The lines that tasks have written since the last time."""

    def __init__(self, path):
        self._path = path
        self._read = 0

    def lines(self):
        return self._path.read_text().splitlines()[self._read :]

    def take(self):
        found = self.lines()
        self._read += len(found)
        return Counter(found)


@pytest.fixture(params=["sqlite", "redis"])
def store(request, monkeypatch):
    """Have broker and results in the embedded file, or in Redis under a prefix of this test's own."""
    if request.param == "sqlite":
        yield
        return
    url = f"{request.getfixturevalue('redis_url').rsplit('/', 1)[0]}/15"
    prefix = f"canvases-{uuid4().hex}:"
    monkeypatch.setenv("CANVAS_REDIS", url)
    monkeypatch.setenv("CANVAS_PREFIX", prefix)
    yield
    with Redis.from_url(url) as server:
        for key in server.scan_iter(f"{prefix}*", count=1000):
            server.delete(key)


@pytest.fixture(params=["Celery's form", "short form"])
def laws(request, store, monkeypatch, tmp_path, spawn):
    """Return the module of the app, its diary, and have a worker run."""
    path = tmp_path / "diary"
    path.touch()
    monkeypatch.setenv("CANVAS_DIARY", str(path))
    monkeypatch.setenv("CANVAS_FORM", "short" if request.param == "short form" else "celery")
    spec = importlib.util.spec_from_file_location("canvases_app", HERE / "canvases_app.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "canvases_app", module)
    spec.loader.exec_module(module)
    command = [sys.executable, "-m", "celeriac", "-A", "canvases_app", "worker", "-P", "prefork", "-c", "2"]
    worker = spawn(*command, "-l", "INFO", cwd=HERE)
    worker.wait_for_output("ready.")
    with module.app:
        module.diary = Diary(path)
        yield module
    worker.kill()  # before what it writes to is deleted


def outcome(laws, result):
    """The value or the error, as text without ids."""
    if result is None:
        return "None"
    try:
        return laws.shared.without_ids(laws.shared.value_of(result))
    except Exception as error:  # noqa: BLE001  # that it is raised is the outcome
        return laws.shared.without_ids(error)


@pytest.mark.slow
@pytest.mark.timeout(60 + canvases.MORE)
@canvases.law(40)
@given(spec=canvases.CANVASES)
def test_processes_give_what_eager_evaluation_gives_and_call_the_same_tasks(spec, laws, wait_until):
    # Given a canvas, evaluated here and now
    canvas = canvases.build(laws.tasks, spec)
    laws.diary.take()
    expected = outcome(laws, canvas.apply((2,)))
    expected_calls = laws.diary.take()

    # When it is sent to a worker, then it ends in the same way
    assert outcome(laws, canvas.apply_async((2,))) == expected

    # And every task, every callback and every errback was called as often, with the same
    wait_until(lambda: len(laws.diary.lines()) >= sum(expected_calls.values()))
    assert laws.diary.take() == expected_calls


def test_a_large_chord_is_complete_and_its_body_called_once(laws):
    t = laws.tasks
    result = chord([t.add.s(number, 1) for number in range(500)], t.sum_up.s())()
    assert result.get(timeout=40) == sum(range(1, 501))
    assert sum(count for call, count in laws.diary.take().items() if "sum_up" in call) == 1


def test_canvases_within_canvases(laws):
    t = laws.tasks
    inner = chain(t.add.s(1), group(t.add.s(1), t.mul.s(2)), t.sum_up.s())
    canvas = chord([inner, chord([inner, t.identity.s()], t.sum_up.s()), group(inner, t.identity.s())], t.sum_up.s())
    assert canvas.apply_async((1,)).get(timeout=20) == canvas.apply((1,)).get()


def test_a_chord_outlives_the_child_that_ran_a_part_of_it(laws):
    # Given a task of a header that kills the process that runs it
    result = chord([laws.tasks.identity.s(1), laws.tasks.die.s()], laws.tasks.sum_up.s())()

    # Then the chord fails, and says why
    error = result.get(timeout=30, propagate=False)
    assert str(error).startswith(f"Dependency {result.parent.results[1].id} raised WorkerLostError(")


SIGNATURE = {"task": "identity", "args": [1], "kwargs": {}, "options": {}, "subtask_type": None, "immutable": False}
WITHOUT_TASKS = {"task": "celery.chain", "args": [], "kwargs": {}, "options": {}, "subtask_type": "chain"}
WITHOUT_HEADER = {"task": "celery.chord", "args": [], "kwargs": {"body": SIGNATURE}, "subtask_type": "chord"}


def processes_of(app):
    """The ids of the processes in which the one worker runs tasks."""
    [stats] = app.control.inspect(timeout=20).stats().values()
    return stats["pool"]["processes"]


def nested(count):
    value = {**SIGNATURE, "args": []}
    for _ in range(count):
        value = {"task": "celery.group", "args": [], "kwargs": {"tasks": [value]}, "subtask_type": "group"}
    return value


@pytest.mark.parametrize("laws", ["short form"], indirect=True)
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_damaged_canvases_end_with_an_error_and_the_processes_live(laws):
    # Given the processes that run the tasks
    processes = processes_of(laws.app)
    damaged = [
        WITHOUT_TASKS,
        WITHOUT_HEADER,
        {"args": [1]},
        {**SIGNATURE, "task": {}},
        {**SIGNATURE, "args": "ab"},
        {**SIGNATURE, "subtask_type": []},
        {**SIGNATURE, "options": {"link": 5}},
        {**SIGNATURE, "options": {"chain": [WITHOUT_TASKS]}},
        {"task": "celery.map", "kwargs": {"it": [1]}},
        {"task": "celery.chunks", "kwargs": {"task": SIGNATURE, "it": [1], "n": 0}},
        {"task": "celery.group", "kwargs": {"tasks": [WITHOUT_HEADER]}, "subtask_type": "group"},
    ]

    # When messages come whose callbacks, errbacks, chain or chord are damaged, some of tasks that kill their process
    send = laws.app.send_task
    sent = [
        send(name, args, **{place: value if place == "chord" else [value]})
        for name, args in (("identity", (1,)), ("die", ()))
        for place in ("link", "link_error", "chain", "chord")
        for value in damaged
    ]

    # Then each ends with an error that names what is damaged, and no task has run
    for result in sent:
        with pytest.raises(ProtocolError, match=r"cannot be read: (callbacks|errbacks|chain|chord).*: expected "):
            result.get(timeout=20)
    assert not laws.diary.take()

    # And what is read at last, an argument of a task of the kernel's, is likewise an error of that task
    called = send("celery.chord_unlock", ("group", WITHOUT_TASKS), ignore_result=False)
    with pytest.raises(ProtocolError, match=r"^signature.kwargs.tasks: expected a list of signatures"):
        called.get(timeout=20)
    called = send("celery.map", (), {"task": WITHOUT_HEADER, "it": [1]})
    with pytest.raises(ProtocolError, match=r"^signature.kwargs.header: expected a group"):
        called.get(timeout=20)

    # And as deep a canvas as there may be runs
    assert send("identity", (1,), link=[nested(160)]).get(timeout=20) == 1
    assert processes_of(laws.app) == processes
