"""Workers that are commanded and asked, on every broker that can be had here."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from functools import partial

import pytest

from celeriac import signals
from celeriac.app.base import Celery
from celeriac.exceptions import ImproperlyConfigured

NODE = "test@host"

#: Brokers that no plugin here serves.
KOMBUS = {"kombu": "kombu.transport.memory:Transport", "rabbitmq": "kombu.transport.pyamqp:Transport"}


@pytest.fixture
def new_app(tmp_path, service):
    """Return ``new_app(broker, **settings)``: an app on that broker, whose queues are nobody else's."""
    apps = []

    def make(broker, **settings):
        url = {
            "memory": f"memory://{uuid.uuid4()}",
            "kombu": f"told://{uuid.uuid4()}",
            "sqlite": f"sqlite:///{tmp_path}/queue.db",
        }.get(broker) or service(broker)
        name = uuid.uuid4()
        results = f"memory://{name}" if broker != "sqlite" else url
        app = Celery("proj", broker=url, backend=results, set_as_current=False, **settings)
        if broker in KOMBUS:
            app.conf.broker_transport = KOMBUS[broker]
        app.conf.update(
            task_default_queue=f"celeriac-test-{name}",
            control_exchange=f"celeriac-test-{name}",
            task_create_missing_queues=True,
        )
        # The tasks of one test are none of another's.
        app.task = partial(app.task, shared=False)
        apps.append(app)
        return app

    yield make
    for app in apps:
        if app.conf.broker_url.startswith(("redis:", "amqp:")):
            clean(app)
        app.close()


def clean(app):
    """Leave nothing in the server."""
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        for queue in app.amqp.queues.values():
            queue(channel).delete()
            if queue.exchange.name:
                queue.exchange(channel).delete()
        for exchange in (app.control.mailbox.exchange, app.control.mailbox.reply_exchange):
            with suppress(*connection.channel_errors):
                exchange(channel).delete()
        if connection.transport.driver_type == "redis":
            for key in channel.client.scan_iter(match=f"*{app.conf.control_exchange}*"):
                channel.client.delete(key)


BROKERS = ["memory", "kombu", "sqlite", "redis", "rabbitmq"]


@pytest.fixture(params=BROKERS)
def app(request, new_app):
    return new_app(request.param)


@pytest.fixture
def inspect(wait_until):
    """Return ``inspect(app)``, once the worker answers there."""

    def make(app):
        found = app.control.inspect([NODE], timeout=5)
        wait_until(lambda: app.control.ping(destination=[NODE], timeout=1), 20, "the worker answers")
        return found

    return make


@pytest.fixture
def ask(inspect):
    """Return ``ask(app, command, **arguments)``: the answer of the one worker."""

    def answer(app, command, **arguments):
        inspect(app)
        (reply,) = app.control.broadcast(command, arguments, destination=[NODE], reply=True, timeout=10)
        return reply[NODE]

    return answer


@pytest.mark.covers(
    "control.ping",
    "control.stats",
    "control.active_queues",
    "control.add_consumer",
    "control.cancel_consumer",
    "control.revoke",
    "control.revoked",
    "control.clock",
    "control.shutdown",
)
def test_a_worker_obeys_and_answers_on_every_broker(app, start_worker, wait_until, ask, inspect):
    ran = []

    @app.task
    def work(number):
        ran.append(number)

    # Given a worker that has been told to refuse a task which has not come yet
    worker, thread = start_worker(app, hostname=NODE)
    assert ask(app, "ping") == {"ok": "pong"}
    assert ask(app, "revoke", task_id="never") == {"ok": "tasks never flagged as revoked"}
    assert inspect(app).revoked() == {NODE: ["never"]}

    # When the task is sent, and another one, then only that runs
    work.apply_async((1,), task_id="never")
    work.delay(2).get(timeout=20)
    wait_until(lambda: worker.consumer.held == 0, message="all is settled")
    assert ran == [2]

    # A queue that is added is listened to, until it is cancelled
    other = f"{app.conf.task_default_queue}-other"
    assert ask(app, "add_consumer", queue=other) == {"ok": f"add consumer {other}"}
    assert [queue["name"] for queue in inspect(app).active_queues()[NODE]] == [app.conf.task_default_queue, other]
    work.apply_async((3,), queue=other).get(timeout=20)
    assert ask(app, "cancel_consumer", queue=other) == {"ok": f"no longer consuming from {other}"}
    left = work.apply_async((4,), queue=other)
    work.delay(5).get(timeout=20)
    assert ran == [2, 3, 5]
    assert left.state == "PENDING"

    # A paused queue keeps its messages until it is resumed
    name = app.conf.task_default_queue
    assert ask(app, "pause_queue", queue=name) == {"ok": f"queue {name} paused"}
    late = work.delay(6)
    assert [queue["paused"] for queue in inspect(app).active_queues()[NODE]] == [True]
    assert ran == [2, 3, 5]
    assert ask(app, "resume_queue", queue=name) == {"ok": f"queue {name} resumed"}
    late.get(timeout=20)

    stats = inspect(app).stats()[NODE]
    assert stats["total"] == {work.name: 4}
    assert stats["clock"].isdecimal()
    assert inspect(app).clock()[NODE]["clock"] > int(stats["clock"])
    assert "password" not in stats["broker"]

    # And it ends when it is told to
    app.control.shutdown(destination=[NODE])
    thread.join(20)
    assert not thread.is_alive()


def cut_connections(worker):
    """Shut down every socket that the worker's loop watches."""
    for fd in [fd for fd in {**worker.hub.readers, **worker.hub.writers} if isinstance(fd, int)]:
        with suppress(OSError), socket.socket(fileno=os.dup(fd)) as copy:
            if copy.family != socket.AF_UNIX:  # what parts of the worker tell each other
                copy.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_a_worker_is_heard_again_after_its_connections_were_cut(new_app, start_worker, wait_until, inspect, broker):
    app = new_app(broker)
    worker, _ = start_worker(app, hostname=NODE)
    inspect(app)
    cut = threading.Event()
    worker.hub.call_soon(cut_connections, worker)
    worker.hub.call_soon(cut.set)
    assert cut.wait(10)
    inspect(app)


@pytest.mark.parametrize("broker", ["sqlite", "rabbitmq"])
def test_two_workers_of_one_name_both_run_tasks_and_the_second_answers_when_the_first_has_ended(
    new_app, start_worker, wait_until, inspect, caplog, broker
):
    # Given two workers of one name, where a queue belongs to one connection
    app = new_app(broker)
    first, thread = start_worker(app, hostname=NODE)
    inspect(app)
    start_worker(app, hostname=NODE)
    assert "Another worker answers to the node name test@host" in caplog.text
    # When the first one ends, then the second is heard
    first.stop()
    thread.join(20)
    inspect(app)
    assert app.control.inspect([NODE], timeout=5).stats()[NODE]["pid"]


@pytest.mark.covers("settings.worker_enable_remote_control")
def test_without_remote_control_nobody_answers(new_app, start_worker):
    app = new_app("memory", worker_enable_remote_control=False)
    worker, _ = start_worker(app, hostname=NODE)
    assert "celeriac.worker.consumer.control.Control" not in worker.consumer.blueprint.steps
    assert app.control.ping(timeout=0.1) == []


def test_a_command_of_the_users_has_the_worker_at_hand(new_app, start_worker, ask, monkeypatch):
    from celeriac.worker.control import Panel, control_command

    monkeypatch.setattr(Panel, "data", dict(Panel.data))
    monkeypatch.setattr(Panel, "meta", dict(Panel.meta))

    @control_command(args=[("n", int)])
    def tell(state, n=1):
        """Tell what is there."""
        return {"ok": [state.app.main, state.hostname, state.consumer.controller.hostname, n]}

    app = new_app("memory")
    start_worker(app, hostname=NODE)
    assert ask(app, "tell", n=5) == {"ok": ["proj", NODE, NODE, 5]}


def test_an_answer_that_cannot_be_written_is_an_error(new_app, start_worker, ask, monkeypatch):
    from celeriac.worker.control import Panel, inspect_command

    monkeypatch.setattr(Panel, "data", dict(Panel.data))
    monkeypatch.setattr(Panel, "meta", dict(Panel.meta))

    @inspect_command()
    def strange(state):
        """Answer with what no serializer can write."""
        return object()

    app = new_app("memory")
    start_worker(app, hostname=NODE)
    assert "the answer cannot be sent" in ask(app, "strange")["error"]
    assert ask(app, "ping") == {"ok": "pong"}


# -- what is asked ----------------------------------------------------------------------------------------------------


def own(registered):
    """Those of the test's app, which also has the shared tasks of other apps that live in this process."""
    return [line for line in registered[NODE] if line.startswith("proj.")]


@pytest.mark.covers("control.registered", "control.conf", "control.report", "control.hello")
def test_a_worker_tells_of_its_tasks_its_settings_and_its_installation(new_app, start_worker, inspect, ask):
    app = new_app("memory", broker_transport_options={"password": "hunter2"})
    app.task(name="proj.often", rate_limit="100/m")(lambda: None)
    app.task(name="proj.work")(lambda: None)
    start_worker(app, hostname=NODE)
    asking = inspect(app)
    assert own(asking.registered()) == ["proj.often [rate_limit=100/m]", "proj.work"]
    assert own(asking.registered("acks_late", "_app", "nothing")) == [
        "proj.often [acks_late=False]",
        "proj.work [acks_late=False]",
    ]
    assert any(line.startswith("celery.chord") for line in ask(app, "registered", builtins=True))
    settings = asking.conf()[NODE]
    assert settings["task_default_queue"] == app.conf.task_default_queue
    assert "hunter2" not in str(settings)
    assert "hunter2" not in str(asking.stats())
    assert "result_expires" not in settings
    assert asking.conf(with_defaults=True)[NODE]["worker_prefetch_multiplier"] == 4
    report = asking.report()[NODE]["ok"]
    assert "celeriac" in report
    assert "hunter2" not in report
    app.control.revoke("gone", destination=[NODE])
    assert asking.hello("other@host", {"theirs": [1, "theirs"]})[NODE]["revoked"] == ["gone", "theirs"]
    assert asking.hello("other@host", ["more"])[NODE]["revoked"] == ["gone", "theirs", "more"]
    assert asking.hello(NODE) == {NODE: None}


@pytest.mark.covers("control.memsample", "control.memdump", "control.objgraph")
def test_a_worker_tells_of_its_memory(new_app, start_worker, inspect):
    app = new_app("memory")
    start_worker(app, hostname=NODE)
    asking = inspect(app)
    assert asking.memsample()[NODE].endswith("MB")
    lines = asking.memdump(5)[NODE].splitlines()
    assert lines[0].startswith("- rss (sample): ")
    assert lines[-1].startswith("- rss (current): ")
    assert "Requires the objgraph library" in asking.objgraph()[NODE]["error"]


@pytest.mark.covers("control.election", "control.heartbeat", "control.enable_events", "control.disable_events")
def test_events_of_tasks_are_switched_on_and_off_and_a_heartbeat_is_sent_at_once(new_app, start_worker, ask):
    app = new_app("memory")
    worker, _ = start_worker(app, hostname=NODE)
    dispatcher = worker.consumer.event_dispatcher
    assert ask(app, "enable_events") == {"ok": "task events enabled"}
    assert dispatcher.wants("task")
    assert ask(app, "enable_events") == {"ok": "task events already enabled"}
    assert ask(app, "disable_events") == {"ok": "task events disabled"}
    assert not dispatcher.wants("task")
    assert ask(app, "disable_events") == {"ok": "task events already disabled"}
    beats = []

    def note(sender, **_):
        beats.append(sender)

    signals.heartbeat_sent.connect(note, sender=worker.consumer.heart)
    assert ask(app, "heartbeat") is None
    signals.heartbeat_sent.disconnect(note, sender=worker.consumer.heart)
    assert beats
    assert ask(app, "election", id="1", topic="task") is None


@pytest.mark.covers("control.active", "control.reserved", "control.scheduled", "control.query_task")
def test_tasks_are_found_whether_they_run_wait_or_are_scheduled(new_app, start_worker, inspect, wait_until):
    app = new_app("kombu", worker_prefetch_multiplier=10)  # no native delay: tasks with an ETA wait in the worker
    began, finish = threading.Event(), threading.Event()

    @app.task(name="proj.work")
    def work(number):
        began.set()
        assert finish.wait(30)

    start_worker(app, hostname=NODE, pool="threads", concurrency=1)
    asking = inspect(app)
    running = work.delay(1)
    assert began.wait(20)
    waiting = work.delay(2)
    later = work.apply_async((3,), countdown=600)
    try:
        wait_until(lambda: len(asking.query_task(waiting.id, later.id)[NODE]) == 2, 20, "all three have been taken")
        (active,) = asking.active()[NODE]
        assert active.items() >= {"id": running.id, "name": "proj.work", "args": "(1,)", "hostname": NODE}.items()
        assert active["acknowledged"]
        assert time.time() - 30 < active["time_start"] <= time.time()
        assert set(active) == {
            *("id", "name", "args", "kwargs", "type", "hostname", "time_start", "acknowledged"),
            *("delivery_info", "worker_pid"),
        }
        (reserved,) = asking.reserved()[NODE]
        assert (reserved["id"], reserved["time_start"], reserved["worker_pid"]) == (waiting.id, None, None)
        (scheduled,) = asking.scheduled()[NODE]
        assert scheduled["request"]["id"] == later.id
        assert scheduled["eta"].startswith("20")
        states = {
            key: value[0] for key, value in asking.query_task([running.id, waiting.id, later.id, "x"])[NODE].items()
        }
        assert states == {running.id: "active", waiting.id: "reserved", later.id: "scheduled"}
    finally:
        finish.set()


# -- revoking ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def revoked():
    """What the signal task_revoked has told."""
    heard = []

    def note(request, terminated, signum, expired, **_):
        heard.append((request.id, terminated, signum, expired))

    signals.task_revoked.connect(note)
    yield heard
    signals.task_revoked.disconnect(note)


@pytest.mark.covers("signals.task_revoked", "control.revoke_by_stamped_headers")
def test_tasks_that_wait_here_are_refused_at_once_and_one_that_runs_goes_on(
    new_app, start_worker, ask, wait_until, revoked, inspect
):
    app = new_app("kombu", worker_prefetch_multiplier=10)
    began, finish, ran = threading.Event(), threading.Event(), []

    @app.task(name="proj.work")
    def work(number):
        began.set()
        assert finish.wait(30)
        ran.append(number)

    worker, _ = start_worker(app, hostname=NODE, pool="threads", concurrency=1)
    running = work.delay(1)
    assert began.wait(20)
    waiting, stays = work.delay(2), work.delay(3)
    later = work.apply_async((4,), countdown=600)
    stamped = work.apply_async((5,), countdown=600, headers={"stamped_headers": ["tenant"], "stamps": {"tenant": "x"}})
    asking = inspect(app)
    wait_until(lambda: len(asking.scheduled()[NODE]) == 2 and asking.reserved()[NODE], 20, "all have been taken")
    try:
        ask(app, "revoke", task_id=[running.id, waiting.id, later.id])
        ask(app, "revoke_by_stamped_headers", headers={"tenant": ["x", "y"]})
        for result in (waiting, later, stamped):
            wait_until(lambda result=result: result.state == "REVOKED", message="its result says so")
        assert {task_id for task_id, *_ in revoked} == {waiting.id, later.id, stamped.id}
        assert {rest for _, *rest in map(tuple, revoked) for rest in [tuple(rest)]} == {(False, None, False)}
        assert running.state == "PENDING"  # it runs, so nobody may say that it does not
        assert asking.scheduled() == {NODE: []}
    finally:
        finish.set()
    assert stays.get(timeout=20) is None
    assert running.get(timeout=20) is None
    assert ran == [1, 3]
    wait_until(lambda: worker.consumer.held == 0, message="all is settled")


def test_a_result_is_revoked_at_once_where_nobody_has_begun_and_a_result_that_is_there_stays(
    new_app, start_worker, ask, wait_until
):
    app = new_app("memory")
    work = app.task(name="proj.work")(lambda: "done")
    start_worker(app, hostname=NODE)
    done = work.delay()
    assert done.get(timeout=20) == "done"
    ask(app, "revoke", task_id=["nobody-has-it", done.id])
    wait_until(lambda: app.AsyncResult("nobody-has-it").state == "REVOKED", message="it is stored")
    assert str(app.AsyncResult("nobody-has-it").result) == "revoked"
    assert done.state == "SUCCESS"


def test_a_revoke_without_ids_that_are_text_is_refused(new_app, start_worker, ask):
    app = new_app("memory")
    start_worker(app, hostname=NODE)
    assert "the ids of tasks are text" in ask(app, "revoke", task_id=[1])["error"]
    assert "no signal of this system" in ask(app, "terminate", task_id="a", signal="SIGNOTHING")["error"]
    assert ask(app, "terminate", task_id="a", signal="KILL") == {"ok": "terminate: tasks unknown"}
    assert "is no stamp" in ask(app, "revoke_by_stamped_headers", headers=["tenant"])["error"]
    assert ask(app, "revoke_by_stamped_headers", headers=["tenant=x"])["ok"]


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("settings.task_default_rate_limit", "control.rate_limit")
def test_a_limited_task_waits_and_blocks_no_other_and_the_limit_can_be_lifted(
    new_app, start_worker, ask, wait_until, inspect
):
    app = new_app("memory", task_default_rate_limit="1/h", worker_prefetch_multiplier=1)
    ran = []

    @app.task(name="proj.rare")
    def rare(number):
        ran.append(number)

    @app.task(name="proj.free", rate_limit="1000/s")
    def free():
        return "free"

    start_worker(app, hostname=NODE)
    assert rare.rate_limit == "1/h"
    results = [rare.delay(number) for number in range(20)]
    assert free.delay().get(timeout=20) == "free"  # although twenty came before it
    assert ran == [0]
    assert len(inspect(app).reserved()[NODE]) == 19
    assert ask(app, "rate_limit", task_name="proj.nothing", rate_limit=1) == {"error": "unknown task"}
    assert "is no rate limit" in ask(app, "rate_limit", task_name="proj.rare", rate_limit="often")["error"]
    assert ask(app, "rate_limit", task_name="proj.rare", rate_limit="1000/s")["ok"] == "new rate limit set successfully"
    wait_until(lambda: len(ran) == 20, message="the rest runs")
    assert ran == list(range(20))
    assert ask(app, "rate_limit", task_name="proj.rare", rate_limit=0)["ok"] == "rate limit disabled successfully"
    assert own(inspect(app).registered("rate_limit")) == ["proj.free [rate_limit=1000/s]", "proj.rare"]
    assert [result.get(timeout=10) for result in results] == [None] * 20


def test_what_waits_for_its_turn_is_given_back_when_the_worker_ends(new_app, start_worker, wait_until):
    app = new_app("memory")
    ran = []

    @app.task(name="proj.rare", rate_limit="1/h")
    def rare(number):
        ran.append(number)

    worker, thread = start_worker(app, hostname=NODE)
    for number in range(3):
        rare.delay(number)
    wait_until(lambda: len(worker.consumer.stock.limiter) == 2, message="two wait")
    worker.stop()
    thread.join(20)
    app.conf.worker_disable_rate_limits = True
    start_worker(app, hostname=NODE)
    wait_until(lambda: len(ran) == 3, message="the others run without a limit")
    assert ran == [0, 1, 2]


def test_a_limited_task_expires_while_it_waits(new_app, start_worker, wait_until):
    app = new_app("memory")
    rare = app.task(name="proj.rare", rate_limit="1/h")(lambda: None)
    worker, _ = start_worker(app, hostname=NODE)
    rare.delay().get(timeout=20)
    late = rare.apply_async(expires=0.2)
    wait_until(lambda: late.state == "REVOKED", message="it has expired")
    wait_until(lambda: worker.consumer.held == 0, message="its message is settled")


def test_a_limit_that_is_none_keeps_the_worker_from_starting(new_app, start_worker):
    app = new_app("memory")
    app.task(name="proj.wrong", rate_limit="often")(lambda: None)
    with pytest.raises(ImproperlyConfigured, match=r"rate_limit of task proj.wrong: 'often' is no rate limit"):
        start_worker(app, hostname=NODE)


@pytest.mark.covers("settings.worker_disable_rate_limits")
def test_where_rate_limits_are_disabled_none_holds_and_none_can_be_set(new_app, start_worker, ask, wait_until):
    app = new_app("memory", worker_disable_rate_limits=True)
    ran = []
    rare = app.task(name="proj.rare", rate_limit="1/h")(lambda: ran.append(1))
    start_worker(app, hostname=NODE)
    for _ in range(5):
        rare.delay()
    wait_until(lambda: len(ran) == 5, message="all run at once")
    assert "disabled" in ask(app, "rate_limit", task_name="proj.rare", rate_limit="1/h")["error"]


@pytest.mark.covers("control.time_limit")
def test_time_limits_are_changed_for_calls_that_have_none(new_app, start_worker, ask):
    app = new_app("memory")

    @app.task(name="proj.work", bind=True)
    def work(self):
        return self.request.timelimit

    start_worker(app, hostname=NODE)
    assert ask(app, "time_limit", task_name="proj.work", soft=30, hard=60) == {"ok": "time limits set successfully"}
    assert app.send_task("proj.work").get(timeout=20) == [60, 30]
    assert ask(app, "time_limit", task_name="proj.work") == {"ok": "time limits set successfully"}
    assert app.send_task("proj.work").get(timeout=20) in (None, [None, None])
    assert ask(app, "time_limit", task_name="proj.nothing", hard=1) == {"error": "unknown task"}
    assert "is no time limit" in ask(app, "time_limit", task_name="proj.work", hard="soon")["error"]


# -- the pool ---------------------------------------------------------------------------------------------------------


@pytest.mark.covers(
    "control.pool_grow",
    "control.pool_shrink",
    "control.pool_restart",
    "control.autoscale",
    "settings.worker_pool_restarts",
)
def test_the_pool_grows_shrinks_and_restarts(new_app, start_worker, ask, wait_until):
    app = new_app("memory")
    app.task(name="proj.work")(threading.get_ident)
    worker, _ = start_worker(app, hostname=NODE, pool="threads", concurrency=1)
    before = worker.consumer.window.size
    assert ask(app, "pool_grow", n=2) == {"ok": "pool will grow"}
    assert worker.pool.num_processes == 3
    assert worker.consumer.window.size == 3 * before
    assert ask(app, "pool_shrink", n=1) == {"ok": "pool will shrink"}
    assert worker.consumer.window.concurrency == 2
    assert "Pool restarts not enabled" in ask(app, "pool_restart")["error"]
    app.conf.worker_pool_restarts = True
    assert ask(app, "pool_restart") == {"ok": "reload started"}
    assert app.send_task("proj.work").get(timeout=20)
    assert "Autoscale not enabled" in ask(app, "autoscale", max=3, min=1)["error"]


def test_a_pool_that_cannot_grow_says_so(new_app, start_worker, ask):
    app = new_app("memory")
    start_worker(app, hostname=NODE)
    assert "NotImplementedError" in ask(app, "pool_grow")["error"]
