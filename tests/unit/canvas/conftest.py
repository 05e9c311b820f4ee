"""An app in memory with tasks that take any value, and a worker in a thread."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from celeriac import Celery

ANY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def without_ids(value: object) -> str:
    """The repr, with no id that differs from run to run."""
    return ANY_ID.sub("ID", repr(value))


def each(value: Any, change: Callable[[int], int]) -> Any:
    """`change` applied to every number of a nested list."""
    return [each(item, change) for item in value] if isinstance(value, (list, tuple)) else change(value)


def total(value: Any) -> int:
    return sum(map(total, value)) if isinstance(value, (list, tuple)) else value


def value_of(result: Any) -> Any:
    """The value, or the first error in the order of the members: which of several comes first is a matter of chance."""
    members = getattr(result, "results", None)
    return result.get(timeout=5) if members is None else [value_of(member) for member in members]


class Diary:
    """What has been called, from whichever thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()

    def note(self, *what: Any) -> None:
        with self._lock:
            self.calls[without_ids(what)] += 1

    def take(self) -> Counter[str]:
        """What has been noted since the last time."""
        with self._lock:
            calls, self.calls = self.calls, Counter()
            return calls


def define_tasks(app: Celery, diary: Any) -> SimpleNamespace:
    """Tasks that take numbers, and lists of lists of them."""

    @app.task(name="add")
    def add(x, y):
        diary.note("add", x, y)
        return each(x, lambda number: number + y)

    @app.task(name="mul")
    def mul(x, y):
        diary.note("mul", x, y)
        return each(x, lambda number: number * y)

    @app.task(name="identity")
    def identity(x):
        diary.note("identity", x)
        return x

    @app.task(name="sum_up")
    def sum_up(x):
        diary.note("sum_up", x)
        return total(x)

    @app.task(name="fail")
    def fail(x, why="why not"):
        diary.note("fail", x, why)
        raise ValueError(why)

    @app.task(name="errback")
    def errback(request, exc, traceback, label="errback"):
        diary.note("errback", label, request.task, repr(exc))

    @app.task(name="errback_by_id")
    def errback_by_id(task_id):
        diary.note("errback by id")

    @app.task(name="callback")
    def callback(value, label="callback"):
        diary.note("callback", label, value)

    tasks = {name: task for name, task in locals().items() if name not in {"app", "diary"}}
    return SimpleNamespace(**tasks)


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def make_app(make_app, monkeypatch) -> Callable[..., Celery]:
    """As everywhere, and with the pool of threads."""
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "memory,threads")
    return make_app


@pytest.fixture
def tasks(app, diary) -> SimpleNamespace:
    return define_tasks(app, diary)


@pytest.fixture
def worker(app, tasks) -> Iterator[Any]:
    """A worker of `app` in a thread, with three more to run tasks; it ends with the test."""
    ready = threading.Event()
    worker = app.Worker(pool="threads", concurrency=3, loglevel="CRITICAL", ready_callback=lambda _: ready.set())
    thread = threading.Thread(target=worker.start)
    thread.start()
    assert ready.wait(10)
    yield worker
    worker.stop()
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def outcome() -> Callable[[Any], str]:
    """Return ``outcome(result)``: the value or the error, as text without ids."""

    def of(result: Any) -> str:
        if result is None:
            return "None"
        try:
            return without_ids(value_of(result))
        except Exception as error:  # noqa: BLE001  # that it is raised is the outcome
            return without_ids(error)

    return of
