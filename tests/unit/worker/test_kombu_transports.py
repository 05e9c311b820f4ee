"""Workers on Kombu's own transports: no plugin serves them, and tasks run all the same."""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
import uuid

import pytest
from kombu import Connection, Consumer, Producer, Queue
from kombu.transport import memory

from celeriac.app.base import Celery
from celeriac.bootsteps import ConsumerStep
from celeriac.worker.pump import Listener

MEMORY = "kombu.transport.memory:Transport"
FILESYSTEM = "kombu.transport.filesystem:Transport"
AMQP = "kombu.transport.pyamqp:Transport"
REDIS = "kombu.transport.redis:Transport"


@pytest.fixture
def directory(tmp_path):
    """The options of a filesystem transport with directories of its own."""
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    queue, control = str(tmp_path / "queue"), str(tmp_path / "control")
    return {"data_folder_in": queue, "data_folder_out": queue, "control_folder": control}


@pytest.fixture(params=["memory", "filesystem", "rabbitmq", "redis"])
def app(request, make_app, service, directory):
    """An app on each of Kombu's transports that can be had here."""
    if request.param == "memory":
        app = make_app(MEMORY, "memory://")
    elif request.param == "filesystem":
        app = make_app(FILESYSTEM, "filesystem://", broker_transport_options=directory)
    elif request.param == "rabbitmq":
        app = make_app(AMQP, service("rabbitmq"))
    else:
        app = make_app(REDIS, service("redis").rpartition("/")[0] + "/15")
    yield app
    delete_queues(app)


def delete_queues(app):
    """Leave nothing of the app's queues in the broker."""
    with app.connection_for_write() as connection:
        for queue in app.amqp.queues.values():
            queue(connection.default_channel).delete()
            if queue.exchange.name:
                queue.exchange(connection.default_channel).delete()
        if connection.transport.driver_type == "redis":
            # Kombu keeps the bindings of a queue that it deletes
            client = connection.default_channel.client
            for key in client.scan_iter(match=f"*{app.conf.task_default_queue}*"):
                client.delete(key)


def depth(app):
    """Messages that wait in the app's queue."""
    name = app.conf.task_default_queue
    with app.connection_for_read() as connection:
        queue = app.amqp.queues[name](connection.default_channel)
        return queue.queue_declare()[1]


@pytest.mark.parametrize("acks_late", [False, True], ids=["early", "late"])
def test_two_hundred_tasks_run_exactly_once(app, start_worker, wait_until, acks_late):
    ran = []

    @app.task(acks_late=acks_late)
    def work(number, text):
        ran.append(number)
        return text

    # The filesystem transport reads what is half written: there nothing is sent while a worker looks.
    before = 200 if app.conf.broker_url.startswith("filesystem") else 100
    results = [work.delay(number, "süß") for number in range(before)]
    worker, _ = start_worker(app)
    results += [work.delay(number, "süß") for number in range(before, 200)]
    wait_until(lambda: len(app.backend.results) == 200, timeout=50, message="200 results")
    assert sorted(ran) == list(range(200))
    assert {app.backend.results[result.id]["result"] for result in results} == {"süß"}
    wait_until(lambda: worker.consumer.held == 0, message="all is settled")
    worker.stop()
    wait_until(lambda: worker.hub.is_closed, message="the worker has ended")
    assert depth(app) == 0


def test_retries_countdowns_priorities_and_expiry_pass_as_they_are(app, start_worker, wait_until):
    seen = []

    @app.task(bind=True, max_retries=2, default_retry_delay=0)
    def work(self, x):
        seen.append((self.request.retries, self.request.headers["tenant"], self.request.expires is not None))
        if self.request.retries < 2:
            raise self.retry()
        return time.time()

    before = time.time()
    # An expiry is also a property of the message, in milliseconds as text.
    result = work.apply_async((1,), countdown=0.3, expires=600, priority=5, headers={"tenant": "a"})
    start_worker(app)
    wait_until(lambda: app.backend.results.get(result.id, {}).get("status") == "SUCCESS", 30, "it has succeeded")
    assert seen == [(0, "a", True), (1, "a", True), (2, "a", True)]
    assert app.backend.results[result.id]["result"] >= before + 0.3


def test_a_worker_that_stops_leaves_what_it_has_not_begun_to_the_next(app, start_worker, wait_until):
    began, finish, ran = threading.Event(), threading.Event(), []

    @app.task
    def work(number):
        began.set()
        assert finish.wait(30)
        ran.append(number)

    for number in range(10):
        work.delay(number)
    worker, thread = start_worker(app)
    assert began.wait(20)
    worker.stop()
    finish.set()
    thread.join(30)
    assert not thread.is_alive()
    assert len(ran) < 10
    start_worker(app)
    wait_until(lambda: len(ran) == 10, timeout=30, message="the rest is run")
    assert sorted(ran) == list(range(10))


def test_messages_wait_in_the_queue_while_a_task_runs(app, start_worker, wait_until):
    began, finish = threading.Event(), threading.Event()

    @app.task
    def work():
        began.set()
        assert finish.wait(30)

    start_worker(app, prefetch_multiplier=1)
    for _ in range(10):
        work.delay()
    assert began.wait(20)
    # One runs and was acked, one more may be held.
    try:
        wait_until(lambda: depth(app) in {8, 9}, message="the others wait for other workers")
        assert depth(app) in {8, 9}
    finally:
        finish.set()


class Collecting(ConsumerStep):
    """Takes messages of a queue of its own."""

    name = "tests.Collecting"
    queue = None
    collected = None

    def get_consumers(self, channel):
        def take(body, message):
            type(self).collected.append(body)
            message.ack()

        return [Consumer(channel, queues=[type(self).queue], callbacks=[take], accept=["json"])]


@pytest.fixture
def collecting(app):
    """A step with a queue of its own, added to the app."""
    queue = Queue(f"{app.conf.task_default_queue}-foreign")
    app.amqp.queues.add(queue)
    app.amqp.queues.select([app.conf.task_default_queue])
    kind = type("Collecting", (Collecting,), {"queue": queue, "collected": [], "name": "tests.Collecting"})
    app.steps["consumer"].add(kind)
    return kind


def publish(app, queue, *bodies):
    with app.connection_for_write() as connection:
        producer = Producer(connection.default_channel)
        queue(connection.default_channel).declare()
        for body in bodies:
            producer.publish(body, exchange="", routing_key=queue.name)


@pytest.mark.covers("bootsteps.ConsumerStep", "bootsteps.ConsumerStep.get_consumers", "bootsteps.ConsumerStep.start")
def test_a_consumer_step_takes_foreign_messages_while_tasks_run(app, collecting, start_worker, wait_until):
    @app.task
    def work():
        return "done"

    publish(app, collecting.queue, *[{"number": number} for number in range(20)])
    result = work.delay()
    start_worker(app)
    wait_until(lambda: len(collecting.collected) == 20, timeout=30, message="all foreign messages are taken")
    wait_until(lambda: result.id in app.backend.results, timeout=30, message="the task has run")
    assert sorted(body["number"] for body in collecting.collected) == list(range(20))


@pytest.mark.covers(
    "bootsteps.ConsumerStep.consumers", "bootsteps.ConsumerStep.stop", "bootsteps.ConsumerStep.shutdown"
)
@pytest.mark.parametrize("scheme", ["memory", "sqlite"])
def test_a_consumer_step_takes_foreign_messages_beside_a_lane_of_the_brokers_own(
    scheme, tmp_path, start_worker, wait_until
):
    url = f"memory://{uuid.uuid4()}" if scheme == "memory" else f"sqlite:///{tmp_path / 'queue.db'}"
    app = Celery("proj", broker=url, backend=url, set_as_current=False)
    queue = Queue("foreign")
    kind = type("Beside", (Collecting,), {"queue": queue, "collected": [], "name": "tests.Beside"})
    app.steps["consumer"].add(kind)

    @app.task
    def work():
        return "done"

    worker, thread = start_worker(app)
    for number in range(5):
        publish(app, queue, [number])
    assert work.delay().get(timeout=20) == "done"
    wait_until(lambda: len(kind.collected) == 5, message="all foreign messages are taken")
    assert kind.collected == [[number] for number in range(5)]
    worker.stop()
    thread.join(20)
    publish(app, queue, ["after"])
    assert len(kind.collected) == 5
    app.close()


# -- a connection that is lost -----------------------------------------------------------------------------------------


class Flaky(memory.Transport):
    """Kombu's memory transport, whose connection is lost when the test says so."""

    driver_type = "flaky"
    connection_errors = (ConnectionError,)
    is_lost = False
    is_away = False
    connects = 0

    def establish_connection(self):
        if Flaky.is_away:
            raise ConnectionError("nobody there")
        Flaky.connects += 1
        return super().establish_connection()

    def drain_events(self, connection, timeout=None):
        if Flaky.is_lost:
            Flaky.is_lost = False
            raise ConnectionError("lost")
        return super().drain_events(connection, timeout=timeout)


@pytest.fixture
def flaky(make_app):
    Flaky.is_lost, Flaky.is_away, Flaky.connects = False, False, 0
    yield make_app(Flaky, "flaky://")
    Flaky.is_lost = Flaky.is_away = False


@pytest.mark.parametrize("acks_late", [False, True], ids=["early", "late"])
def test_consumption_resumes_by_itself_after_a_lost_connection(flaky, start_worker, wait_until, acks_late):
    ran = []

    @flaky.task(acks_late=acks_late)
    def work(number):
        ran.append(number)

    start_worker(flaky)
    for number in range(300):
        work.delay(number)
        if number % 100 == 50:
            Flaky.is_lost = True
    wait_until(lambda: len(flaky.backend.results) == 300, timeout=30, message="all have run")
    assert sorted(ran) == list(range(300))


def test_a_task_that_runs_while_the_connection_is_lost_ends_well_and_is_not_run_again(flaky, start_worker, wait_until):
    began, finish, ran = threading.Event(), threading.Event(), []

    @flaky.task(acks_late=True)
    def work(number):
        began.set()
        assert finish.wait(30)
        ran.append(number)

    # In a thread pool, so that the loop turns while the task runs
    worker, _ = start_worker(flaky, pool="threads", concurrency=1)
    for number in range(5):
        work.delay(number)
    assert began.wait(10)
    before = Flaky.connects
    Flaky.is_lost = True
    wait_until(lambda: Flaky.connects > before, message="it has connected again")
    finish.set()
    wait_until(lambda: len(flaky.backend.results) == 5, timeout=30, message="all have run")
    wait_until(lambda: worker.consumer.held == 0, message="all is settled")
    assert sorted(ran) == list(range(5))
    assert depth(flaky) == 0


def test_a_task_that_ends_while_the_broker_is_away_is_settled_when_it_is_back(flaky, start_worker, wait_until, caplog):
    began, finish, ran = threading.Event(), threading.Event(), []

    @flaky.task(acks_late=True)
    def work(number):
        began.set()
        assert finish.wait(30)
        ran.append(number)

    start_worker(flaky, pool="threads", concurrency=1)
    work.delay(1)
    assert began.wait(10)
    # The broker delivers it again when it is back: here it is put back by hand, as the connection gives it back
    Flaky.is_away, Flaky.is_lost = True, True
    wait_until(lambda: "out of reach" in caplog.text, message="a try to connect has failed")
    finish.set()
    wait_until(lambda: len(flaky.backend.results) == 1, message="it has ended")
    Flaky.is_away = False
    wait_until(lambda: "Connected to the broker again" in caplog.text, message="it has connected again")
    wait_until(lambda: depth(flaky) == 0, message="the message is settled")
    assert ran == [1]


def test_consumer_steps_are_started_again_with_the_connection(flaky, start_worker, wait_until):
    queue = Queue("foreign")
    kind = type("Again", (Collecting,), {"queue": queue, "collected": [], "name": "tests.Again"})
    flaky.steps["consumer"].add(kind)
    start_worker(flaky)
    publish(flaky, queue, ["before"])
    wait_until(lambda: kind.collected == [["before"]], message="the first message is taken")
    before = Flaky.connects
    Flaky.is_lost = True
    wait_until(lambda: Flaky.connects > before, message="it has connected again")
    publish(flaky, queue, ["after"])
    wait_until(lambda: kind.collected == [["before"], ["after"]], message="the second message is taken")


def test_a_worker_that_is_not_to_connect_again_ends(flaky, start_worker, wait_until, caplog):
    flaky.conf.broker_connection_retry = False
    worker, thread = start_worker(flaky)
    Flaky.is_lost = True
    wait_until(lambda: not thread.is_alive(), message="the worker has ended")
    assert worker.exit_code == 1
    assert "broker_connection_retry is off" in caplog.text


def test_there_is_an_end_to_connecting_again(flaky, start_worker, wait_until, caplog):
    flaky.conf.broker_connection_max_retries = 1
    worker, thread = start_worker(flaky)
    Flaky.is_away, Flaky.is_lost = True, True
    wait_until(lambda: not thread.is_alive(), message="the worker has ended")
    assert worker.exit_code == 1
    assert "was tried 1 times" in caplog.text


def cut_connections(worker):
    """End all connections that the worker's loop watches."""
    for fd in worker.hub.readers:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            with socket.socket(fileno=os.dup(fd)) as copy:
                if copy.family != socket.AF_UNIX:  # what parts of the worker tell each other
                    copy.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("app", ["rabbitmq"], indirect=True)
@pytest.mark.parametrize("acks_late", [False, True], ids=["early", "late"])
def test_a_cut_connection_to_a_server_loses_nothing_and_runs_nothing_twice(app, start_worker, wait_until, acks_late):
    ran, never = [], threading.Event()

    @app.task(acks_late=acks_late)
    def work(number):
        never.wait(0.01)
        ran.append(number)

    worker, _ = start_worker(app)
    for number in range(200):
        work.delay(number)
        if number in {50, 100, 150}:
            wait_until(lambda number=number: len(ran) > number - 50, timeout=30, message="it goes on")
            worker.hub.call_soon(cut_connections, worker)
    wait_until(lambda: len(app.backend.results) == 200, timeout=50, message="all have run")
    wait_until(lambda: worker.consumer.held == 0, message="all is settled")
    assert sorted(ran) == list(range(200))
    worker.stop()
    wait_until(lambda: worker.hub.is_closed, message="the worker has ended")
    assert depth(app) == 0


@pytest.mark.parametrize("app", ["redis"], indirect=True)
def test_consumption_resumes_after_a_cut_connection_to_redis(app, start_worker, wait_until):
    # What is on its way at that moment is lost by Kombu's transport, which has taken it out of the queue
    @app.task(acks_late=True)
    def work(number):
        return number

    worker, _ = start_worker(app)
    for number in range(5):
        result = work.delay(number)
        wait_until(lambda result=result: result.id in app.backend.results, timeout=30, message=f"task {number} has run")
        wait_until(lambda: worker.consumer.held == 0, message="it is settled")
        cut = threading.Event()
        worker.hub.call_soon(cut_connections, worker)
        worker.hub.call_soon(cut.set)
        assert cut.wait(10)


@pytest.mark.parametrize("app", ["rabbitmq"], indirect=True)
def test_a_task_that_runs_while_the_connection_to_a_server_is_cut_is_not_run_again(app, start_worker, wait_until):
    began, finish, ran = threading.Event(), threading.Event(), []

    @app.task(acks_late=True)
    def work(number):
        began.set()
        assert finish.wait(30)
        ran.append(number)

    worker, _ = start_worker(app, pool="threads", concurrency=2)
    for number in range(20):
        work.delay(number)
    assert began.wait(10)
    cut = threading.Event()
    worker.hub.call_soon(worker.consumer.lane.lane.pump.join, Listener(lambda: None, cut.set))
    worker.hub.call_soon(cut_connections, worker)
    assert cut.wait(10)
    wait_until(lambda: worker.consumer.lane.lane.pump.is_connected, message="it has connected again")
    finish.set()
    wait_until(lambda: len(app.backend.results) == 20, timeout=30, message="all have run")
    wait_until(lambda: worker.consumer.held == 0, message="all is settled")
    assert sorted(ran) == list(range(20))
    worker.stop()
    wait_until(lambda: worker.hub.is_closed, message="the worker has ended")
    assert depth(app) == 0


def test_an_idle_worker_on_a_transport_that_must_be_asked_hardly_turns(make_app, start_worker, wait_until):
    app = make_app(MEMORY, "memory://")
    worker, _ = start_worker(app)
    turns = []
    worker.hub.on_tick.add(lambda: turns.append(1))
    until = time.monotonic() + 1.0
    wait_until(lambda: time.monotonic() > until)
    assert len(turns) < 40


def test_an_error_of_the_transports_own_does_not_make_the_worker_deaf(make_app, start_worker, wait_until, caplog):
    class Faulty(memory.Transport):
        faults = 3

        def drain_events(self, connection, timeout=None):
            if Faulty.faults:
                Faulty.faults -= 1
                raise KeyError("a message that is none")
            return super().drain_events(connection, timeout=timeout)

    app = make_app(Faulty, "faulty://")

    @app.task
    def work():
        return 1

    start_worker(app)
    result = work.delay()
    wait_until(lambda: result.id in app.backend.results, message="the task has run")
    assert "Error while messages were delivered" in caplog.text


def test_purging_a_queue_that_is_not_there_is_no_error(app):
    from celeriac.worker.purging import discard_messages

    @app.task
    def work():
        pass

    assert discard_messages(app, [Queue(f"{app.conf.task_default_queue}-nowhere")]) == 0
    for _ in range(3):
        work.delay()
    assert discard_messages(app, [Queue("celeriac-test-nowhere"), *app.amqp.queues.values()]) == 3


def test_the_worker_can_be_told_to_discard_what_waits(app, start_worker, wait_until):
    ran = []

    @app.task
    def work(number):
        ran.append(number)

    for number in range(3):
        work.delay(number)
    start_worker(app, purge=True)
    work.delay(99)
    wait_until(lambda: ran, message="the new task has run")
    assert ran == [99]


def test_the_password_of_the_broker_is_not_told(make_app, caplog, start_worker):
    app = make_app(AMQP, "amqp://guest:secret@127.0.0.1:1//", broker_connection_retry_on_startup=False)
    with pytest.raises(Exception, match=r"cannot reach the broker amqp://guest:\*\*@127.0.0.1:1//") as raised:
        start_worker(app)
    assert "secret" not in str(raised.value) + caplog.text
    assert isinstance(Connection("memory://"), Connection)


@pytest.fixture
def beating(service, make_app):
    """An app whose connection must show every second that it lives."""
    app = make_app(AMQP, service("rabbitmq"), broker_heartbeat=1)
    yield app
    delete_queues(app)


@pytest.mark.covers("settings.broker_heartbeat", "settings.broker_heartbeat_checkrate")
def test_an_idle_connection_to_rabbitmq_is_kept_alive_by_heartbeats(beating, start_worker, wait_until, caplog):
    @beating.task
    def work():
        return 1

    # Given a worker whose node name no other one has, or it would be told that this may be of a lost connection
    worker, _ = start_worker(beating, pool="threads", concurrency=1, hostname=f"{uuid.uuid4().hex}@here")
    connection = worker.consumer.connection.connection
    assert connection.heartbeat == 1
    until = time.monotonic() + 4
    wait_until(lambda: time.monotonic() > until)
    result = work.delay()
    wait_until(lambda: result.id in beating.backend.results, message="the task has run")
    assert worker.consumer.connection.connection is connection
    assert "lost" not in caplog.text
    with beating.connection_for_write() as other:
        assert not other.connection.heartbeat  # nobody would send them between two messages


def test_where_tasks_block_the_loop_nobody_waits_for_heartbeats(beating, start_worker):
    worker, _ = start_worker(beating)
    assert not worker.consumer.connection.connection.heartbeat
