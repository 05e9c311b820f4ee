"""Packages that were written for Celery, on `celeriac-celery`: those that the plugin's README lists."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
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


def test_flower_is_a_command_and_starts(spawn, tmp_path, redis_url):
    import sys
    from pathlib import Path

    (tmp_path / "proj.py").write_text(f"from celery import Celery\napp = Celery('proj', broker={redis_url!r})\n")
    flower = spawn(Path(sys.executable).with_name("celery"), "-A", "proj", "flower", "--port=0", cwd=tmp_path)
    flower.wait_for_output("Visit me at")
    flower.wait_for_output("Connected to")
