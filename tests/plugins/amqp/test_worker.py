"""Whole workers on RabbitMQ, and results that are messages."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from uuid import uuid4

import pytest
from amqp.exceptions import PreconditionFailed
from kombu import Connection

from celeriac import Celery, chain, chord, group
from celeriac.contracts import StoredResult
from celeriac.exceptions import ImproperlyConfigured, WorkerLostError
from celeriac.protocol.results import build_meta
from celeriac.testing.conformance.forks import in_a_child
from celeriac_amqp.delays import Delays

TASKS = """
import os, time
from celeriac import Celery

app = Celery("proj", broker=os.environ["URL"], backend=os.environ.get("STORE", "rpc://"))
app.conf.task_default_queue = os.environ["QUEUE"]
app.conf.task_default_queue_type = os.environ.get("KIND", "classic")
app.conf.broker_transport_options = {"delayed_delivery_prefix": os.environ["PREFIX"]}
app.conf.worker_enable_remote_control = False
app.conf.broker_heartbeat = 1

@app.task
def add(x, y):
    return x + y

@app.task(bind=True, max_retries=2, default_retry_delay=0.1)
def failing(self):
    raise self.retry(exc=LookupError(f"try {self.request.retries}"))

@app.task
def note(path, text):
    with open(path, "a") as file:
        file.write(f"{text}\\n")
    return text

@app.task(acks_late=True, reject_on_worker_lost=True)
def late(path):
    with open(path, "a") as file:
        file.write("ran\\n")
    if open(path).read().count("ran") < 2:
        time.sleep(600)
    return "done"

@app.task(acks_late=True)
def slow(path, seconds):
    with open(path, "a") as file:
        file.write("ran\\n")
    time.sleep(seconds)
    return "slept"

@app.task
def early(path):
    with open(path, "a") as file:
        file.write("ran\\n")
    time.sleep(600)

@app.task
def gated(begun, gate, **options):
    open(begun, "w").close()
    while not os.path.exists(gate):
        time.sleep(0.01)

@app.task
def mourn(request, error, traceback):
    with open(os.environ["MOURNED"], "a") as file:
        file.write(f"{request.id} {type(error).__name__}\\n")

@app.task
def parent():
    return add.delay(20, 3).id
"""


@pytest.fixture
def name(url) -> str:
    """The queue of a test."""
    name = f"celeriac-test-{uuid4().hex}"
    yield name
    with Connection(url) as connection:
        connection.default_channel.queue_delete(name)
        connection.default_channel.exchange_delete(name)


@pytest.fixture
def start(spawn, tmp_path, url, name, prefix):
    """Return ``start(*arguments, **environment)``: a worker of the tasks above, ready."""
    (tmp_path / "tasks.py").write_text(TASKS)
    started = []

    def start_worker(*arguments, **env):
        worker = spawn(
            sys.executable,
            *("-m", "celeriac", "-A", "tasks", "worker", "-l", "INFO", "-c", "2", *arguments),
            env={"URL": url, "QUEUE": name, "PREFIX": prefix, **env},
        )
        started.append(worker)
        worker.wait_for_output("ready")
        return worker

    yield start_worker
    for worker in started:  # before the queue of the test is deleted
        worker.kill()


@pytest.fixture
def make_app(url, name, prefix):
    """Return ``make_app(**settings)``: a client, closed at the end."""
    made = []

    def make(**settings):
        app = Celery("proj", set_as_current=False, broker=url, backend="rpc://")
        app.conf.task_default_queue = name
        app.conf.broker_transport_options = {"delayed_delivery_prefix": prefix}
        app.conf.update(settings)
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def signature(app):
    return lambda task, *args, **options: app.signature(f"tasks.{task}", args, **options)


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_what_a_killed_worker_had_begun_is_told_of_as_lost_by_the_next(
    start, app, signature, wait_until, tmp_path, kind
):
    # Given two tasks that run and were acked
    ran, mourned = tmp_path / "ran", tmp_path / "mourned"
    worker = start(KIND=kind, MOURNED=str(mourned))
    app.conf.task_default_queue_type = kind
    running = [signature("early", str(ran), link_error=signature("mourn")).delay() for _ in range(2)]
    wait_until(lambda: ran.exists() and ran.read_text().count("ran") == 2, message="both run")

    # When the worker is killed, and another one starts
    worker.signal(signal.SIGKILL)
    worker.wait()
    other = start(KIND=kind, MOURNED=str(mourned))

    # Then whoever waits for them learns of it, their errbacks too, and neither runs again
    for result in running:
        with pytest.raises(WorkerLostError, match="its worker died"):
            result.get(timeout=20)
    wait_until(lambda: mourned.exists() and mourned.read_text().count("\n") == 2, message="their errbacks have run")
    assert sorted(mourned.read_text().splitlines()) == sorted(f"{each.id} WorkerLostError" for each in running)
    assert ran.read_text().count("ran") == 2
    assert "2 messages had begun and not ended" in other.output()


@pytest.mark.parametrize("ignore_result", [True, False])
def test_what_has_ended_while_the_broker_was_away_is_not_told_as_lost_though_its_worker_is_killed(
    start, app, signature, wait_until, tmp_path, proxy, proxied, ignore_result
):
    # Given a task that runs and was acked, when the broker goes away
    begun, gate, mourned = tmp_path / "begun", tmp_path / "gate", tmp_path / "mourned"
    given = {"URL": proxied, "STORE": f"sqlite:///{tmp_path / 'results.db'}", "MOURNED": str(mourned)}
    worker = start(**given)
    task = signature("gated", str(begun), str(gate), link_error=signature("mourn"), ignore_result=ignore_result)
    task.delay()
    wait_until(begun.exists, message="the task runs")
    proxy.refuse()
    # And will not be tried for more than a second
    wait_until(
        lambda: re.search(r"Trying again in (1\.[3-9]|[2-9])", worker.output()), message="the worker has given up"
    )

    # That ends, and whose worker is killed before the broker is back
    gate.touch()
    worker.wait_for_output("succeeded in")
    worker.signal(signal.SIGKILL)
    worker.wait()
    proxy.resume()

    # Then the next worker knows of no task that was lost
    other = start(**given)
    done = tmp_path / "done"
    signature("note", str(done), "after").delay()
    wait_until(done.exists, message="the next worker runs tasks")
    assert "had begun" not in other.output()
    assert "lost" not in other.output()
    assert not mourned.exists()


def test_a_worker_that_cannot_note_what_begins_says_what_to_do_and_runs_tasks(start, signature, celeriac_home):
    directory = celeriac_home / "journal"
    directory.mkdir(parents=True)
    directory.chmod(0o755)
    worker = start()
    assert [signature("add", number, 1).delay().get(timeout=20) for number in range(3)] == [1, 2, 3]
    assert worker.output().count("worker_journal_directory") == 1
    assert list(directory.iterdir()) == []


@pytest.mark.covers("backends.rpc", "transports.amqp", "transports.pyamqp")
@pytest.mark.parametrize("scheme", ["amqp", "pyamqp"])
def test_tasks_run_and_results_come_back(start, make_app, url, scheme):
    start(URL=url.replace("amqp", scheme, 1))
    app = make_app(broker_url=url.replace("amqp", scheme, 1))
    assert app.send_task("tasks.add", (2, 3)).get(timeout=20) == 5
    with pytest.raises(LookupError, match="try 2"):
        app.send_task("tasks.failing").get(timeout=20)
    result = app.send_task("tasks.add", (1, 1))
    assert result.get(timeout=20) == 2
    assert (result.status, app.AsyncResult(result.id).result) == ("SUCCESS", 2)


def test_a_canvas_answers_whoever_waits_for_it(start, signature):
    start()
    assert chain(signature("add", 1, 2), signature("add", 3), signature("add", 4)).delay().get(timeout=20) == 10
    many = group(signature("add", number, number) for number in range(500)).delay()
    assert many.get(timeout=30) == [2 * number for number in range(500)]


def test_a_task_that_is_sent_by_a_task_answers_whoever_asked_for_that(start, app):
    start()
    inner = app.send_task("tasks.parent").get(timeout=20)
    assert app.AsyncResult(inner).get(timeout=20) == 23


def test_a_chord_is_refused_with_the_remedy(app, signature):
    with pytest.raises(NotImplementedError, match=r"rpc://.*chords do not work.*another result_backend"):
        chord([signature("add", 1, 1)], signature("add", 1)).delay()


def test_threads_wait_each_for_their_own(start, app):
    start()
    found = {}

    def ask(number):
        found[number] = [app.send_task("tasks.add", (number, i)).get(timeout=20) for i in range(10)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [number + i for i in range(10)] for number in range(4)}


def test_a_forked_child_asks_for_itself_and_leaves_its_parents_results_alone(start, app):
    start()

    def ask(count):
        return [app.send_task("tasks.add", (number, 1)).get(timeout=20) for number in range(count)]

    # Given a process that has asked, and waits for another answer
    assert ask(1) == [1]
    waiting = app.send_task("tasks.add", (20, 3))

    # When a child of it asks while it goes on asking, and ends
    def in_child():
        if ask(30) != list(range(1, 31)):
            raise LookupError
        app.close()

    status = in_a_child(in_child, lambda: ask(30))

    # Then each has had its own
    assert status == 0
    assert waiting.get(timeout=20) == 23
    assert ask(2) == [1, 2]


def test_results_that_nobody_wants_make_no_queue(app, ready):
    app.send_task("tasks.add", (1, 1), ignore_result=True)
    assert ready(app.thread_oid) is None
    app.send_task("tasks.add", (1, 1))
    assert ready(app.thread_oid) == 0
    oid = app.thread_oid
    app.close()
    assert ready(oid) is None


def test_results_survive_a_connection_that_is_cut(start, make_app, proxy, proxied, url):
    start()
    app = make_app(broker_url=proxied)
    first = [app.send_task("tasks.add", (number, 0)) for number in range(20)]
    proxy.cut()
    second = [app.send_task("tasks.add", (number, 0)) for number in range(20)]
    assert first[0].get(timeout=20) == 0
    proxy.cut()
    assert [result.get(timeout=20) for result in first + second] == [*range(20), *range(20)]


@pytest.mark.covers("settings.result_persistent", "settings.result_expires")
@pytest.mark.parametrize(("persistent", "mode"), [(True, 2), (False, 1), (None, 1)])
def test_a_result_is_a_message_as_celery_sends_it(make_app, url, persistent, mode):
    app = make_app(result_persistent=persistent, result_expires=60)
    task_id, oid = str(uuid4()), f"celeriac-test-{uuid4().hex}"
    app.backend.take_replies(oid)
    meta = build_meta(task_id, "SUCCESS", 7)
    app.backend.store([StoredResult(task_id, "SUCCESS", meta, None, oid)])
    with Connection(url) as connection:
        message = connection.default_channel.basic_get(oid)
        found = message.properties
    assert (found["correlation_id"], found["delivery_mode"], found["content_type"]) == (
        task_id,
        mode,
        "application/json",
    )
    with Connection(url) as connection:  # it was not acked, and is there again
        connection.default_channel.queue_delete(oid)


def test_a_broker_of_another_kind_cannot_carry_results(make_app):
    app = make_app(broker_url="memory://")
    with pytest.raises(ImproperlyConfigured, match="rpc:// needs RabbitMQ"):
        app.backend.take_replies("x")


def test_the_command_queues_tells_what_amqp_tells_and_takes_nothing_out(
    app, consume, claim, queue, loop, ready, url, spawn
):
    # Given a queue with a consumer that holds one of three messages
    for _ in range(3):
        app.send_task("tasks.add", (1, 1), queue=queue, ignore_result=True)
    lane = consume(queue, prefetch=1)
    claim(lane, 1)
    # When its figures are asked for
    asked = spawn(sys.executable, "-m", "celeriac", "-b", url, "queues", queue.name, "--json", "-t", "0")
    assert asked.wait() == 0
    [told] = json.loads(asked.output())
    # Then they are those that AMQP has, and the others are not made up
    assert told == {
        "queue": queue.name,
        "exists": True,
        "ready": 2,
        "held": None,
        "due": None,
        "claimed": None,
        "oldest": None,
        "consumers": 1,
        "workers": None,
    }
    assert ready(queue) == 2


# --- the worker -------------------------------------------------------------------------------------------------------


def test_what_a_killed_worker_ran_with_a_late_ack_runs_again(start, app, tmp_path, wait_until):
    path = tmp_path / "runs"
    first = start()
    result = app.send_task("tasks.late", (str(path),))
    wait_until(path.exists, 20)
    first.kill()
    start()
    assert result.get(timeout=20) == "done"
    assert path.read_text() == "ran\nran\n"


def test_a_task_that_outlasts_its_connection_runs_once(start, app, tmp_path, proxy, proxied, wait_until, ready, name):
    path = tmp_path / "runs"
    worker = start(URL=proxied)
    result = app.send_task("tasks.slow", (str(path), 4))
    wait_until(path.exists, 20)
    proxy.cut()
    worker.wait_for_output("Connected to the broker again")
    assert result.get(timeout=20) == "slept"
    os.kill(worker.pid, signal.SIGTERM)
    worker.wait()
    assert path.read_text() == "ran\n"
    assert ready(name) == 0
    # The server hears of the worker each second, or it would have cut it off before the task was over.
    assert worker.output().count("lost: RabbitMQ at") == 1


def test_no_task_is_lost_or_run_twice_while_the_connection_is_cut(start, app, tmp_path, proxy, proxied, wait_until):
    path, count = tmp_path / "runs", 6000
    start(URL=proxied)
    tasks = (app.signature("tasks.note", (str(path), number), ignore_result=True) for number in range(count))
    cuts, over = [0], threading.Event()

    def cut():
        seen = -1
        while not over.wait(0.1):
            size = path.stat().st_size if path.exists() else 0
            if size > seen:  # on a busy machine a connection takes longer than that to be of any use
                seen = size
                proxy.cut()
                cuts[0] += 1

    def runs():
        return sorted(map(int, path.read_text().split())) if path.exists() else []

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        wait_until(lambda: cuts[0])  # before there is anything that the worker may be done with
        group(tasks).delay()
        wait_until(lambda: len(set(runs())) == count, 50)
    finally:
        over.set()
        cutter.join()
    assert runs() == list(range(count))


@pytest.mark.covers("settings.worker_detect_quorum_queues")
def test_on_quorum_queues_a_countdown_waits_in_the_server(start, make_app, ready, name, prefix):
    app = make_app(task_default_queue_type="quorum")
    begun = time.monotonic()
    result = app.send_task("tasks.add", (1, 2), countdown=3)
    assert ready(name) == 0
    assert ready(f"{prefix}_celery_delayed_0") == 1
    start(KIND="quorum")
    assert result.get(timeout=20) == 3
    assert time.monotonic() - begun >= 2.9


@pytest.mark.covers("settings.broker_native_delayed_delivery_queue_type")
def test_messages_wait_in_queues_of_the_type_that_is_set(make_app, plain, prefix):
    app = make_app(task_default_queue_type="quorum", broker_native_delayed_delivery_queue_type="classic")
    app.send_task("tasks.add", (1, 2), countdown=60)
    with pytest.raises(PreconditionFailed, match=r"x-queue-type.*classic"):
        Delays(prefix, "quorum").declare(plain)
    with pytest.raises(ImproperlyConfigured, match="quorum or classic"):
        make_app(broker_native_delayed_delivery_queue_type="stream").send_task("tasks.add", (1, 2))


def test_a_worker_of_quorum_queues_lets_them_alone_where_it_is_told_so(make_app, ready, name, prefix):
    app = make_app(task_default_queue_type="quorum", worker_detect_quorum_queues=False)
    app.send_task("tasks.add", (1, 2), countdown=60)
    assert ready(name) == 1
    assert ready(f"{prefix}_celery_delayed_5") is None
