"""Packages that were written for Celery, on `celeriac-celery`: those that the plugin's README lists."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

if not os.environ.get("EXTENSIONS"):
    pytest.skip("needs packages for Celery beside Celeriac: run `make extensions`", allow_module_level=True)

from celery import Celery, Task, chord, group, shared_task
from celery.contrib.testing.app import TestApp
from celery.contrib.testing.worker import start_worker
from celery.result import GroupResult
from celery.schedules import crontab, schedule


@pytest.fixture
def app():
    with TestApp("proj", set_as_current=True) as app:
        yield app


@pytest.fixture
def worker(app):
    return lambda **options: start_worker(app, perform_ping_check=False, **options)


@pytest.fixture(scope="session")
def django_project(tmp_path_factory):
    from django.conf import settings

    settings.configure(
        SECRET_KEY="of a test",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.contenttypes", "django_celery_beat", "django_celery_results"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": tmp_path_factory.mktemp("django") / "db.sqlite3",
                "OPTIONS": {"timeout": 20},
            }
        },
    )
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


@pytest.mark.usefixtures("django_project")
def test_django_celery_results_keeps_results():
    from django_celery_results.models import TaskResult

    with TestApp("rows", backend="django-db", config={"result_extended": True}) as app:
        add = app.task(name="rows.add")(lambda x, y: x + y)
        total = app.task(name="rows.total")(sum)

        @app.task
        def fail():
            raise ValueError("no")

        with start_worker(app, perform_ping_check=False):
            result = add.delay(1, 2)
            assert result.get(timeout=10) == 3
            with pytest.raises(ValueError, match="no"):
                fail.delay().get(timeout=10)
            both = group(add.s(1, 1), add.s(2, 2)).apply_async()
            assert both.get(timeout=10) == [2, 4]
            both.save()
            assert GroupResult.restore(both.id, app=app).get(timeout=10) == [2, 4]
            assert chord([add.s(1, 1), add.s(2, 2)])(total.s()).get(timeout=20) == 6
        row = TaskResult.objects.get(task_id=result.id)
        assert (row.task_name, row.status, row.result) == ("rows.add", "SUCCESS", "3")


@pytest.mark.usefixtures("django_project")
def test_django_celery_beat_sends(app, wait_until):
    from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

    interval = IntervalSchedule.objects.create(every=1, period="seconds")
    PeriodicTask.objects.create(interval=interval, name="often", task="proj.often", args="[1, 2]")
    PeriodicTask.objects.create(crontab=CrontabSchedule.objects.create(minute="0"), name="hourly", task="proj.hourly")
    scheduler = app.plugins.driver("scheduler", "django")(app)
    assert {"often", "hourly"} <= set(scheduler.schedule)

    def runs():
        scheduler.tick()
        scheduler.sync()
        return PeriodicTask.objects.get(name="often").total_run_count

    wait_until(lambda: runs() >= 3)


def test_redbeat_keeps_entries_and_sends(app, redis_url, wait_until):
    from redbeat import RedBeatScheduler, RedBeatSchedulerEntry

    app.conf.redbeat_redis_url = redis_url
    app.conf.redbeat_key_prefix = f"redbeat-{uuid4().hex}:"
    entries = [
        RedBeatSchedulerEntry("often", "proj.often", schedule(timedelta(seconds=0.2)), app=app),
        RedBeatSchedulerEntry("rare", "proj.rare", crontab(minute=5, hour="*/2"), app=app),
    ]
    for entry in entries:
        entry.save()
    assert RedBeatSchedulerEntry.from_key(entries[1].key, app=app).schedule == crontab(minute=5, hour="*/2")
    scheduler = RedBeatScheduler(app=app)
    scheduler.lock_key = None

    def runs():
        scheduler.tick()
        return RedBeatSchedulerEntry.from_key(entries[0].key, app=app).total_run_count

    wait_until(lambda: runs() >= 3)
    for entry in entries:
        entry.delete()
    scheduler.close()


def test_celery_singleton_sends_once(app, worker, redis_url):
    from celery_singleton import Singleton

    app.conf.singleton_backend_url = redis_url
    app.conf.singleton_key_prefix = uuid4().hex

    @app.task(base=Singleton, name="proj.one")
    def one(x):
        return x

    first = one.delay(1)
    assert one.delay(1).id == first.id
    with worker():
        assert first.get(timeout=10) == 1


def test_celery_once_refuses_a_second(app, worker, redis_url):
    from celery_once import AlreadyQueued, QueueOnce

    app.conf.ONCE = {"backend": "celery_once.backends.Redis", "settings": {"url": redis_url, "default_timeout": 5}}
    key = uuid4().hex

    @app.task(base=QueueOnce, name=f"proj.{key}")
    def one(x):
        return x

    first = one.delay(1)
    with pytest.raises(AlreadyQueued):
        one.delay(1)
    with worker():
        assert first.get(timeout=10) == 1


def test_sentry_sees_transactions_and_errors(app, worker):
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.transport import Transport

    seen = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            seen.extend((item.type, item.payload.json["transaction"]) for item in envelope.items)

    sentry_sdk.init(
        dsn="http://key@localhost/1",
        integrations=[CeleryIntegration()],
        traces_sample_rate=1.0,
        transport=Kept,
        auto_enabling_integrations=False,
        default_integrations=False,
    )
    try:
        fine = app.task(name="fine")(lambda x: x)

        @app.task(name="bad")
        def bad():
            raise KeyError("bad")

        with worker():
            assert fine.delay(3).get(timeout=10) == 3
            with pytest.raises(KeyError):
                bad.delay().get(timeout=10)
        sentry_sdk.flush()
    finally:
        sentry_sdk.init()
    assert sorted(seen) == [("event", "bad"), ("transaction", "bad"), ("transaction", "fine")]


def test_opentelemetry_spans_one_trace(app, worker):
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    # It looks for a distribution of the name celery.
    CeleryInstrumentor().instrument(skip_dep_check=True, tracer_provider=provider)
    try:
        traced = app.task(name="traced")(lambda x: x)
        with worker():
            assert traced.delay(1).get(timeout=10) == 1
    finally:
        CeleryInstrumentor().uninstrument()
    spans = kept.get_finished_spans()
    assert [span.name for span in spans] == ["apply_async/traced", "run/traced"]
    assert len({span.context.trace_id for span in spans}) == 1


def test_the_pattern_of_flasks_documentation():
    from flask import Flask, current_app

    flask = Flask("shop")

    class FlaskTask(Task):
        def __call__(self, *args, **kwargs):
            with flask.app_context():
                return self.run(*args, **kwargs)

    url = f"memory://{uuid4().hex}"
    with Celery(flask.name, task_cls=FlaskTask, broker=url, backend=url) as app:
        app.set_default()

        @shared_task(ignore_result=False)
        def where():
            return current_app.name

        with start_worker(app, perform_ping_check=False):
            assert where.delay().get(timeout=10) == "shop"


def test_celery_progress_reads_a_result(app, worker):
    from celery_progress.backend import Progress, ProgressRecorder

    @app.task(bind=True)
    def slow(self):
        ProgressRecorder(self).set_progress(1, 2)
        return "ok"

    with worker():
        result = slow.delay()
        result.get(timeout=10)
        assert Progress(result).get_info()["result"] == "ok"


def test_an_exporter_receives_events(app, worker):
    seen, state = [], app.events.State()
    quick = app.task(name="quick")(lambda: 1)

    def receive(connection):
        handlers = {"*": lambda event: (state.event(event), seen.append(event["type"]))}
        app.events.Receiver(connection, handlers=handlers).capture(limit=4, timeout=10, wakeup=True)

    with app.connection() as connection, worker(task_events=True, without_heartbeat=False):
        thread = threading.Thread(target=receive, args=(connection,), daemon=True)
        thread.start()
        quick.delay().get(timeout=10)
        thread.join(10)
    assert {"task-received", "task-succeeded"} <= set(seen)
    assert [task.state for task in state.tasks.values()] == ["SUCCESS"]


def test_flower_is_a_command_whose_pages_show_what_happens(spawn, tmp_path, redis_url, wait_until):
    (tmp_path / "proj.py").write_text(
        f"from celery import Celery\napp = Celery('proj', broker={redis_url!r}, backend={redis_url!r})\n"
        f"app.conf.task_default_queue = {uuid4().hex!r}\n@app.task\ndef add(x, y):\n    return x + y\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    celery, name = Path(sys.executable).with_name("celery"), f"flower-{uuid4().hex}@here"
    environment = {"FLOWER_UNAUTHENTICATED_API": "true"}
    flower = spawn(celery, "-A", "proj", "flower", f"--port={port}", cwd=tmp_path, env=environment)
    flower.wait_for_output("Visit me at")
    flower.wait_for_output("Connected to")
    worker = spawn(celery, "-A", "proj", "worker", "-E", "-P", "solo", "-n", name, "-l", "INFO", cwd=tmp_path)
    worker.wait_for_output("ready.")

    def get(path, data=None):
        request = Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"})
        with urlopen(request, timeout=20) as answer:
            return answer.read().decode()

    wait_until(lambda: name in get("/workers"), timeout=20)
    sent = json.loads(get("/api/task/apply/proj.add", json.dumps({"args": [1, 2]}).encode()))
    assert (sent["state"], sent["result"]) == ("SUCCESS", 3)
    wait_until(lambda: json.loads(get("/api/tasks")).get(sent["task-id"], {}).get("state") == "SUCCESS", timeout=20)
    assert "proj.add" in get(f"/task/{sent['task-id']}")
    assert json.loads(get(f"/api/task/info/{sent['task-id']}"))["result"] == "3"
    assert name in json.loads(get("/api/workers?refresh=1"))
    for page in ("/", "/tasks", "/broker", f"/worker/{name}"):
        assert "<html" in get(page)


def test_of_several_beats_with_redbeat_one_sends(app, redis_url, wait_until):
    from redbeat import RedBeatScheduler
    from redbeat.schedulers import acquire_distributed_beat_lock

    app.conf.redbeat_redis_url = redis_url
    app.conf.redbeat_key_prefix = f"redbeat-{uuid4().hex}:"
    app.conf.beat_max_loop_interval = 0.2  # between two looks at the lock
    first, second = RedBeatScheduler(app=app), RedBeatScheduler(app=app)
    acquire_distributed_beat_lock(SimpleNamespace(scheduler=first))
    has_it = threading.Event()

    def wait_for_the_lock():
        acquire_distributed_beat_lock(SimpleNamespace(scheduler=second))
        has_it.set()
        second.close()  # the lock is this thread's

    thread = threading.Thread(target=wait_for_the_lock, daemon=True)
    thread.start()
    first.tick()
    assert not has_it.is_set()
    first.close()
    assert has_it.wait(20)
    thread.join(20)


def test_sentry_monitors_what_beat_sends(app, worker):
    import sentry_sdk
    from celery.beat import Scheduler
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.transport import Transport

    seen = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            seen.extend(item.payload.json for item in envelope.items if item.type == "check_in")

    add = app.task(name="monitored")(lambda: 1)
    app.conf.beat_schedule = {"often": {"task": "monitored", "schedule": 60.0}}
    sentry_sdk.init(
        dsn="http://key@localhost/1",
        integrations=[CeleryIntegration(monitor_beat_tasks=True)],
        transport=Kept,
        auto_enabling_integrations=False,
        default_integrations=False,
    )
    try:
        with worker():
            scheduler = Scheduler(app=app)
            scheduler.apply_entry(scheduler.schedule["often"])
            wait = time.monotonic() + 10
            while len(seen) < 2 and time.monotonic() < wait:
                add.delay().get(timeout=10)
        sentry_sdk.flush()
    finally:
        sentry_sdk.init()
    assert [(each["monitor_slug"], each["status"]) for each in seen] == [("often", "in_progress"), ("often", "ok")]
