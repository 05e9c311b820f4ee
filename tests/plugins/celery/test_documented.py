"""What the pages of Celery's documentation teach, written as they teach it: it runs under Celery's name."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import pytest
from celery import Task, chain, chord, chunks, group, signals, signature, xmap
from celery.canvas import StampingVisitor
from celery.contrib.testing.app import TestApp
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Ignore, Reject, TaskRevokedError
from celery.result import AsyncResult, GroupResult, result_from_tuple
from celery.schedules import crontab
from celery.utils.log import get_task_logger
from kombu import Exchange, Queue
from kombu.common import Broadcast


@pytest.fixture
def app():
    with TestApp("proj", set_as_current=True) as app:
        yield app


@pytest.fixture
def tasks(app):
    class Tasks:
        add = app.task(name="tasks.add")(lambda x, y: x + y)
        mul = app.task(name="tasks.mul")(lambda x, y: x * y)
        total = app.task(name="tasks.total")(sum)
        fail = app.task(name="tasks.fail")(lambda: 1 / 0)

    with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False):
        yield Tasks


# --- next steps, canvas -----------------------------------------------------------------------------------------------


def test_signatures_are_partials_and_can_be_immutable(tasks):
    assert tasks.add.signature((2, 2), countdown=0.01).delay().get(timeout=10) == 4
    assert tasks.add.s(2).delay(4).get(timeout=10) == 6
    assert tasks.add.s(4).clone(args=(2,)).delay().get(timeout=10) == 6
    assert signature("tasks.add", args=(1, 2)).apply_async().get(timeout=10) == 3
    assert (tasks.add.s(1, 1) | tasks.add.si(5, 5)).apply_async().get(timeout=10) == 10
    assert tasks.add.s(2, 2).set(countdown=0.01).apply_async().get(timeout=10) == 4


def test_work_flows(tasks):
    result = chain(tasks.add.s(2, 2), tasks.add.s(4), tasks.mul.s(8))()
    assert (result.get(timeout=10), result.parent.get(), result.parent.parent.get()) == (64, 8, 4)
    assert group(tasks.add.s(i, i) for i in range(4))().get(timeout=10) == [0, 2, 4, 6]
    assert chord((tasks.add.s(i, i) for i in range(4)), tasks.total.s())().get(timeout=10) == 12
    assert (group(tasks.add.s(i, i) for i in range(4)) | tasks.total.s() | tasks.mul.s(2)).delay().get(timeout=10) == 24
    assert (group(tasks.add.s(1), tasks.mul.s(3)))(10).get(timeout=10) == [11, 30]
    assert tasks.total.map([(1, 2), (3,)]).delay().get(timeout=10) == [3, 3]
    assert tasks.add.starmap([(1, 2), (3, 4)]).delay().get(timeout=10) == [3, 7]
    chunked = tasks.add.chunks(zip(range(4), range(4), strict=True), 2)
    assert isinstance(chunked, chunks)
    assert chunked().get(timeout=10) == [[0, 2], [4, 6]]
    assert isinstance(tasks.total.map([(1,)]), xmap)
    tree = [value for node, value in chain(tasks.add.s(1, 1), tasks.add.s(1)).delay().collect(timeout=10)]
    assert tree == [3]


def test_callbacks_and_the_graph_of_results(app, tasks, wait_until):
    seen = []

    @app.task
    def log_error(request, exc, traceback):
        seen.append((request.task, type(exc).__name__, "ZeroDivisionError" in traceback))

    linked = tasks.add.apply_async((2, 2), link=tasks.add.s(8), link_error=log_error.s())
    assert linked.get(timeout=10) == 4
    assert linked.children[0].get(timeout=10) == 12
    tasks.fail.apply_async(link_error=log_error.s())
    wait_until(lambda: seen == [("tasks.fail", "ZeroDivisionError", True)])
    failed = tasks.fail.delay()
    with pytest.raises(ZeroDivisionError):
        failed.get(timeout=10)
    assert failed.get(propagate=False).__class__ is ZeroDivisionError
    assert (failed.failed(), failed.successful(), failed.state) == (True, False, "FAILURE")


def test_stamps(app, tasks):
    @app.task(bind=True)
    def stamped(self):
        return self.request.stamps, self.request.stamped_headers

    class InGroupVisitor(StampingVisitor):
        def on_signature(self, sig, **headers):
            return {"monitoring_id": "m-1", "stamped_headers": ["monitoring_id"]}

    sig = stamped.si()
    sig.stamp(visitor=InGroupVisitor())
    assert sig.delay().get(timeout=10) == [{"monitoring_id": ["m-1"]}, ["monitoring_id"]]


def test_a_group_is_saved_and_found_again(app, tasks):
    result = group(tasks.add.s(2, 2), tasks.add.s(4, 4)).apply_async()
    result.save()
    again = GroupResult.restore(result.id, app=app)
    assert again.join(timeout=10) == [4, 8]
    assert (again.ready(), again.successful(), again.completed_count()) == (True, True, 2)


# --- tasks ------------------------------------------------------------------------------------------------------------


def test_tasks_that_retry_report_and_leave(app, wait_until):
    logger = get_task_logger("tasks")

    class Base(Task):
        ended: ClassVar[list[tuple[str, object]]] = []

        def on_success(self, retval, task_id, args, kwargs):
            self.ended.append((self.name, retval))

        def on_retry(self, exc, task_id, args, kwargs, einfo):
            self.ended.append((self.name, "again"))

    @app.task(bind=True, base=Base, default_retry_delay=0.01, max_retries=3)
    def twice(self, n):
        try:
            if self.request.retries < n:
                raise KeyError("not yet")
        except KeyError as exc:
            raise self.retry(exc=exc) from exc
        logger.info("done")
        return self.request.retries

    @app.task(bind=True, autoretry_for=(OSError,), retry_backoff=False, retry_kwargs={"max_retries": 2})
    def hopeless(self):
        raise OSError("gone")

    hopeless.default_retry_delay = 0.01

    @app.task(bind=True)
    def progress(self):
        self.update_state(state="PROGRESS", meta={"current": 1, "total": 2})
        raise Ignore

    @app.task(acks_late=True)
    def reject():
        raise Reject("not for us", requeue=False)

    with start_worker(app, pool="threads", concurrency=2, perform_ping_check=False):
        assert twice.delay(2).get(timeout=10) == 2
        with pytest.raises(OSError, match="gone"):
            hopeless.delay().get(timeout=10)
        result = progress.delay()
        wait_until(lambda: result.state == "PROGRESS")
        assert AsyncResult(result.id).info == {"current": 1, "total": 2}
        reject.delay()
    assert Base.ended == [(twice.name, "again"), (twice.name, "again"), (twice.name, 2)]


# --- calling ----------------------------------------------------------------------------------------------------------


def test_calls_with_options(app, tasks):
    now = datetime.now(UTC)
    assert (
        tasks.add.apply_async((1, 2), eta=now + timedelta(seconds=0.05), expires=now + timedelta(days=1)).get(
            timeout=10
        )
        == 3
    )
    assert tasks.add.apply_async((1, 2), serializer="json", compression="gzip", priority=5).get(timeout=10) == 3
    late = tasks.add.apply_async((1, 2), expires=now - timedelta(seconds=1))
    with pytest.raises(TaskRevokedError):
        late.get(timeout=10)
    policy = {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
    assert tasks.add.apply_async((2, 2), retry=True, retry_policy=policy).get(timeout=10) == 4
    with app.producer_pool.acquire(block=True) as producer:
        results = [tasks.add.apply_async((i, i), producer=producer) for i in range(3)]
    assert [result.get(timeout=10) for result in results] == [0, 2, 4]
    seen = []

    @app.task(bind=True)
    def hello(self, a, b):
        self.update_state(state="PROGRESS", meta={"progress": 50})
        return f"hello world: {a + b}"

    assert (
        hello.apply_async((1, 2)).get(on_message=lambda body: seen.append(body["status"]), timeout=10)
        == "hello world: 3"
    )
    assert seen[-1] == "SUCCESS"


# --- routing ----------------------------------------------------------------------------------------------------------


def test_routes_and_queues(app):
    app.conf.task_default_queue = "default"
    app.conf.task_queues = (
        Queue("default", routing_key="task.#"),
        Queue("feeds", Exchange("feeds", type="topic"), routing_key="feed.#"),
        Broadcast("broadcast_tasks"),
    )

    def route_task(name, args, kwargs, options, task=None, **kw):
        return {"queue": "feeds", "routing_key": "feed.import"} if name == "feed.tasks.import_feed" else None

    app.conf.task_routes = (route_task, {"web.*": {"queue": "default"}})

    @app.task(bind=True, name="feed.tasks.import_feed")
    def import_feed(self):
        return self.request.delivery_info["routing_key"]

    @app.task(bind=True, name="web.hit")
    def hit(self):
        return self.request.delivery_info["routing_key"]

    with start_worker(app, queues=["feeds", "default"], perform_ping_check=False):
        assert import_feed.delay().get(timeout=10) == "feed.import"
        assert hit.delay().get(timeout=10) in {"default", "task.#", "celery"}


# --- signals ----------------------------------------------------------------------------------------------------------


def test_signals(app, tasks, wait_until):
    seen = []

    @signals.after_task_publish.connect(sender="tasks.add")
    def task_sent_handler(sender=None, headers=None, body=None, **kwargs):
        seen.append(("sent", headers["task"]))

    @signals.task_prerun.connect(sender=tasks.add)
    def before(task_id=None, task=None, args=None, **kwargs):
        seen.append(("prerun", args))

    @signals.task_postrun.connect(sender=tasks.add)
    def after(task_id=None, task=None, retval=None, state=None, **kwargs):
        seen.append(("postrun", retval, state))

    tasks.add.delay(1, 2).get(timeout=10)
    tasks.mul.delay(1, 2).get(timeout=10)
    wait_until(lambda: len(seen) == 3)
    assert [each[0] for each in seen] == ["sent", "prerun", "postrun"]
    assert seen[2] == ("postrun", 3, "SUCCESS")
    assert signals.task_prerun.disconnect(before, sender=tasks.add)


def test_a_worker_has_a_queue_of_its_own(app):
    @signals.celeryd_after_setup.connect(weak=False)
    def setup_direct_queue(sender, instance, **kwargs):
        instance.app.amqp.queues.select_add(f"{sender}.dq")

    try:
        add = app.task(lambda x, y: x + y, name="add")
        with start_worker(app, hostname="w1@example.com", perform_ping_check=False):
            assert add.apply_async((1, 2), queue="w1@example.com.dq").get(timeout=10) == 3
    finally:
        signals.celeryd_after_setup.disconnect(setup_direct_queue)


# --- periodic tasks ---------------------------------------------------------------------------------------------------


def test_periodic_tasks_are_set_up_when_the_app_is_configured(app):
    @app.task
    def say(arg):
        return arg

    @app.on_after_configure.connect
    def setup_periodic_tasks(sender, **kwargs):
        sender.add_periodic_task(10.0, say.s("hello"), name="add every 10")
        sender.add_periodic_task(30.0, say.s("hello"), expires=10)
        sender.add_periodic_task(crontab(hour=7, minute=30, day_of_week=1), say.s("Happy Mondays!"))

    app.conf.beat_schedule = {"add": {"task": say.name, "schedule": timedelta(seconds=30), "args": ("x",)}}
    app.finalize()
    from celery.beat import Scheduler

    schedule = Scheduler(app=app).schedule
    assert schedule["add every 10"].args == ("hello",)
    assert schedule["add"].schedule.seconds == 30
    assert crontab(hour=7, minute=30, day_of_week=1) in [entry.schedule for entry in schedule.values()]


# --- bootsteps, as a program ------------------------------------------------------------------------------------------

EXTENDING = """
from celery import Celery, bootsteps
from click import Option
from kombu import Consumer, Exchange, Queue

my_queue = Queue("custom", Exchange("custom"), "routing_key")
app = Celery(broker={url!r})

class MyConsumerStep(bootsteps.ConsumerStep):
    def get_consumers(self, channel):
        return [Consumer(channel, queues=[my_queue], callbacks=[self.handle_message], accept=["json"])]

    def handle_message(self, body, message):
        print("received message: {{0!r}}".format(body), flush=True)
        message.ack()

class DeadlockDetection(bootsteps.StartStopStep):
    requires = {{"celery.worker.components:Timer"}}

    def __init__(self, worker, deadlock_timeout=3600, my_option=None, **options):
        self.timeout, self.my_option, self.tref = deadlock_timeout, my_option, None

    def start(self, worker):
        print("option {{0}}".format(self.my_option), flush=True)
        self.tref = worker.timer.call_repeatedly(0.05, self.detect, (worker,), priority=10)

    def stop(self, worker):
        if self.tref:
            self.tref.cancel()
            self.tref = None
        print("detection stopped", flush=True)

    def detect(self, worker):
        if not self.timeout:
            return
        print("looked at {{0}} requests".format(len(worker.state.active_requests)), flush=True)
        self.timeout = 0

app.steps["consumer"].add(MyConsumerStep)
app.steps["worker"].add(DeadlockDetection)
app.user_options["worker"].add(Option(("--my-option",), is_flag=True, help="My custom option."))

def send_me_a_message(who, producer=None):
    with app.producer_or_acquire(producer) as producer:
        producer.publish(
            {{"hello": who}}, serializer="json", exchange=my_queue.exchange, routing_key="routing_key",
            declare=[my_queue], retry=True,
        )

if __name__ == "__main__":
    send_me_a_message("world!")
"""


def test_a_worker_with_steps_and_an_option(spawn, tmp_path):
    (tmp_path / "proj.py").write_text(EXTENDING.format(url=f"sqlite:///{tmp_path / 'queue.db'}"))
    celery = Path(sys.executable).with_name("celery")
    worker = spawn(celery, "-A", "proj", "worker", "-P", "solo", "--my-option", cwd=tmp_path)
    worker.wait_for_output("option True")
    worker.wait_for_output("looked at 0 requests")
    sent = spawn(sys.executable, "proj.py", cwd=tmp_path)
    assert sent.wait(20) == 0, sent.output()
    worker.wait_for_output("received message: {'hello': 'world!'}")
    worker.signal(15)
    assert worker.wait(20) == 0
    assert "detection stopped" in worker.output()


def test_a_task_that_is_defined_later_runs_in_new_children(tmp_path):
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    with (
        TestApp("proj", broker=url, backend=url) as app,
        start_worker(app, pool="prefork", perform_ping_check=False) as worker,
    ):
        before = worker.pool.pids()
        late = app.task(os.getpid, name="late")
        worker.reload()
        assert {*worker.pool.pids()} - {*before}
        assert late.delay().get(timeout=20) not in before


def test_the_result_of_another_task_may_be_returned_also_by_a_part_of_a_chord():
    with TestApp("proj") as app:
        add = app.task(name="add")(lambda x, y: x + y)
        later = app.task(name="later")(lambda: add.delay(2, 2))
        parts = app.task(name="parts")(lambda found: found)
        with start_worker(app, perform_ping_check=False):
            kept, three = chord([later.s(), add.s(1, 2)], parts.s())().get(timeout=20)
            assert three == 3
            assert result_from_tuple(kept, app=app).get(timeout=20) == 4


# --- testing ----------------------------------------------------------------------------------------------------------

TESTS = """
import pytest
from celery import shared_task

pytest_plugins = ("celery.contrib.pytest",)

@shared_task(name="mul")
def mul(x, y):
    return x * y

@pytest.fixture(scope="session")
def celery_config():
    return {{"broker_url": {url!r}, "result_backend": {url!r}}}

def test_add(celery_app, celery_worker):
    @celery_app.task
    def add(x, y):
        return x + y
    celery_worker.reload()
    assert add.delay(2, 2).get(timeout=10) == 4

@pytest.mark.celery(task_always_eager=True)
def test_eager(celery_app):
    assert mul.delay(4, 4).get() == 16

def test_session(celery_session_app, celery_session_worker):
    assert mul.delay(4, 4).get(timeout=10) == 16

def test_apply():
    assert mul.apply(args=(4, 4)).get() == 16
    assert mul(3, 3) == 9
"""


def test_the_fixtures_of_pytest(pytester):
    pytester.makepyfile(TESTS.format(url=f"memory://{uuid4().hex}"))
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=4)
