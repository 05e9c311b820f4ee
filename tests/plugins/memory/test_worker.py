"""A worker in a thread, with nothing but memory between it and whoever calls."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from celeriac.app.base import Celery
from celeriac.exceptions import TimeoutError


@pytest.fixture
def app(url):
    app = Celery("proj", broker=url, backend=url, set_as_current=False)
    yield app
    app.close()


@pytest.fixture
def start_worker():
    started = []

    def start(app, **options):
        ready = threading.Event()
        worker = app.Worker(pool="solo", ready_callback=lambda _: ready.set(), **options)
        thread = threading.Thread(target=worker.start)
        started.append((worker, thread))
        thread.start()
        assert ready.wait(10)
        return worker, thread

    yield start
    for worker, thread in started:
        worker.stop()
        thread.join(10)
        assert not thread.is_alive()


def test_a_task_runs_in_the_workers_thread_and_its_result_comes_back(app, start_worker):
    @app.task
    def where(x):
        return [x, threading.get_ident()]

    _, thread = start_worker(app)
    assert where.delay("here").get(timeout=10) == ["here", thread.ident]


def test_what_was_sent_before_the_worker_came_is_run_by_priority(app, start_worker):
    ran = []

    @app.task
    def note(name):
        ran.append(name)

    results = [note.apply_async((priority,), priority=priority) for priority in (0, 9, 5)]
    start_worker(app, prefetch_multiplier=1)
    for result in results:
        result.get(timeout=10)
    assert ran == [9, 5, 0]


def test_a_task_waits_for_its_eta_in_the_broker(app, start_worker):
    @app.task
    def when():
        return time.time()

    worker, _ = start_worker(app)
    sent = time.time()
    later = when.apply_async(countdown=0.3)
    assert when.delay().get(timeout=10) < sent + 0.3
    assert worker.consumer.lane.depth("celery") == 0
    assert later.get(timeout=10) >= sent + 0.3


def test_a_task_is_tried_again_and_errors_cross_with_their_type(app, start_worker):
    tries = []

    @app.task(bind=True, max_retries=2, default_retry_delay=0)
    def failing(self):
        tries.append(self.request.retries)
        raise self.retry(exc=LookupError("not there"))

    start_worker(app)
    with pytest.raises(LookupError, match="not there"):
        failing.delay().get(timeout=10)
    assert tries == [0, 1, 2]


def test_a_task_calls_another_one(app, start_worker):
    @app.task
    def inner(x):
        return x + 1

    @app.task
    def outer(x):
        return inner.delay(x).id

    start_worker(app)
    inner_id = outer.delay(1).get(timeout=10)
    assert app.AsyncResult(inner_id).get(timeout=10) == 2


def test_a_worker_that_stops_leaves_the_rest_to_the_next(app, start_worker):
    began, finish = threading.Event(), threading.Event()
    ran = []

    @app.task
    def slow(number):
        began.set()
        assert finish.wait(20)
        ran.append(number)

    worker, thread = start_worker(app)
    results = [slow.delay(number) for number in range(5)]
    assert began.wait(10)
    worker.stop()
    finish.set()
    thread.join(10)
    assert not thread.is_alive()
    left = set(range(5)) - set(ran)
    assert left
    with pytest.raises(TimeoutError):
        results[max(left)].get(timeout=0.01)
    start_worker(app)
    for result in results:
        result.get(timeout=10)
    assert sorted(ran) == list(range(5))


@pytest.mark.covers("transports.memory")
def test_two_thousand_tasks_pass_without_loss_or_double(app, start_worker):
    ran = []

    @app.task(ignore_result=True)
    def note(number):
        ran.append(number)

    @app.task
    def last():
        return len(ran)

    start_worker(app)
    for number in range(2000):
        note.delay(number)
    assert last.delay().get(timeout=30) == 2000
    assert ran == list(range(2000))


FORKING = """
from celeriac.app.base import Celery
from celeriac.plugin import hookimpl

app = Celery("proj", broker="memory://", backend="memory://", set_as_current=False)

@app.task
def add(x, y):
    return x + y

@app.task(ignore_result=True)
def call_another():
    add.delay(1, 1)

def client(worker):
    add.delay(1, 1)
    call_another.delay()

outcomes = []

class Listener:
    @hookimpl
    def celeriac_outcome_listeners(self):
        return [self.listen]

    def listen(self, outcome):
        print(outcome.kind, outcome.exception, flush=True)
        outcomes.append(outcome)
        if len(outcomes) == 2:
            worker.stop()

app.plugins.register(Listener())
worker = app.Worker(pool="prefork", concurrency=1, ready_callback=client)
worker.start()
"""


def test_with_prefork_nothing_is_lost_in_silence(spawn):
    # Given a worker that forked before anything was in memory, so that its children could begin memory of their own
    program = spawn(sys.executable, "-c", FORKING)
    assert program.wait(30) == 0, program.output()
    # Then both the result and the message of a child are refused, by name and with the remedy
    output = program.output()
    assert "store-failed MemoryNotShared('the in-memory result store memory://localhost/ belongs" in output
    assert "failure MemoryNotShared('the in-memory broker memory://localhost/ belongs" in output
    assert "--pool threads" in output
