"""Subclasses and instrumentation in the shape that packages for Celery give them: these have broken, or would."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import celery.app.trace
import pytest
from celery import chord
from celery.backends.base import BaseDictBackend
from celery.beat import ScheduleEntry, Scheduler
from celery.contrib.testing.app import TestApp
from celery.contrib.testing.worker import start_worker
from celery.schedules import crontab, schedule

from celeriac.exceptions import BackendError, StoreUnavailable
from celeriac.testing import FakeClock, published


@pytest.fixture
def app():
    with TestApp("proj") as app:
        yield app


# --- schedulers -------------------------------------------------------------------------------------------------------


class Row:
    """What a database would keep of an entry."""

    last_run_at = datetime(2030, 1, 1, tzinfo=UTC)
    total_run_count = 0


class ModelEntry(ScheduleEntry):
    """Sets its fields itself, as django-celery-beat's does."""

    def __init__(self, row, app=None):
        self.app, self.row = app, row
        self.name = self.task = "proj.tick"
        self.schedule = schedule(timedelta(seconds=10), app=app)
        self.args, self.kwargs, self.options = [], {}, {}
        self.last_run_at, self.total_run_count = row.last_run_at, row.total_run_count

    def __next__(self):
        self.row.last_run_at = self._default_now()
        self.row.total_run_count += 1
        return self.__class__(self.row, app=self.app)

    next = __next__


class ModelScheduler(Scheduler):
    """Keeps nothing of what it gives as the following entry."""

    Entry = ModelEntry

    def __init__(self, *args, **kwargs):
        self.row = Row()
        super().__init__(*args, **kwargs)

    def setup_schedule(self):
        self.install_default_entries(self.schedule)
        self.schedule["proj.tick"] = self.Entry(self.row, app=self.app)

    def reserve(self, entry):
        return next(entry)


def test_a_scheduler_that_takes_entries_alone_and_keeps_rows(app, monkeypatch):
    monkeypatch.setattr("celeriac.beat.Scheduler", ModelScheduler)
    with FakeClock(Row.last_run_at) as clock, published(app, deliver=False) as sent:
        scheduler = clock.beat(app)
        clock.advance(minutes=1)
    sent.assert_published("proj.tick", times=6)
    assert scheduler.row.total_run_count == 6


def test_a_scheduler_finds_what_it_sends_with(app):
    scheduler = Scheduler(app)
    assert scheduler.producer is None
    assert not scheduler.connection.connected


def test_a_crontab_may_be_given_its_zone_later_and_tells_what_it_was_given():
    class Aware(crontab):
        def __init__(self, minute="*", tz=None):
            self.tz = tz
            super().__init__(minute, tz=tz)

    kept = Aware("*/5", ZoneInfo("Asia/Tokyo"))
    assert kept.tz == ZoneInfo("Asia/Tokyo")
    assert (kept._orig_minute, kept._orig_hour, kept._orig_day_of_week) == ("*/5", "*", "*")
    kept.tz = "Europe/Rome"
    assert kept.tz == ZoneInfo("Europe/Rome")


# --- result stores ----------------------------------------------------------------------------------------------------


class RowBackend(BaseDictBackend):
    """Keeps columns, as django-celery-results does; knows nothing of what else a meta may hold."""

    rows: dict[str, dict[str, object]]
    error: Exception | None = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rows = {}

    def _store_result(self, task_id, result, status, traceback=None, request=None, using=None):
        if self.error is not None:
            raise self.error
        _, _, text = self._encode(result)
        extended = request is not None and self.app.conf.find_value_for_key("extended", "result")
        self.rows[task_id] = {
            "task_id": task_id,
            "status": status,
            "result": text,
            "traceback": traceback,
            "date_done": datetime.now(UTC),
            "name": request.task if extended else None,
        }

    def _get_task_meta_for(self, task_id):
        row = self.rows.get(task_id) or {"status": "PENDING", "result": None, "date_done": None}
        return self.meta_from_decoded({**row, "result": self.decode(row["result"])})

    def _forget(self, task_id):
        self.rows.pop(task_id, None)


@pytest.fixture
def row_app():
    with TestApp("rows", backend=RowBackend, config={"result_extended": True}) as app:
        yield app


def test_results_in_columns(row_app):
    @row_app.task(name="rows.add")
    def add(x, y):
        return x + y

    @row_app.task(name="rows.total")
    def total(numbers):
        return sum(numbers)

    @row_app.task
    def fail():
        raise ValueError("no")

    with start_worker(row_app):
        result = add.delay(1, 2)
        assert result.get(timeout=10) == 3
        with pytest.raises(ValueError, match="no"):
            fail.delay().get(timeout=10)
        assert chord([add.s(1, 1), add.s(2, 2)])(total.s()).get(timeout=20) == 6
    assert row_app.backend.rows[result.id]["name"] == "rows.add"
    assert result._get_task_meta()["result"] == 3
    assert result.date_done.tzinfo is not None


def test_what_may_pass_is_tried_again_and_a_mistake_is_not(row_app):
    backend = row_app.backend
    backend.error = OSError("gone away")
    with pytest.raises(StoreUnavailable, match="RowBackend failed: gone away"):
        backend.store([row_app.results.entry("1", "SUCCESS", 1)])
    backend.error = AttributeError("no such thing")
    with pytest.raises(AttributeError, match="no such thing"):
        backend.store([row_app.results.entry("1", "SUCCESS", 1)])
    with pytest.raises(BackendError, match="keeps no groups"):
        backend.store_group("1", {"result": []})


# --- instrumentation --------------------------------------------------------------------------------------------------


def test_a_tracer_of_instrumentation_is_called_around_each_run(app, monkeypatch):
    seen = []
    original = celery.app.trace.build_tracer

    def build_tracer(name, task, *args, **kwargs):
        inner, run = original(name, task, *args, **kwargs), task.run
        task.run = lambda *a, **k: (seen.append(("run", name)), run(*a, **k))[1]

        def tracer(task_id, args, kwargs, request, **more):
            seen.append(("begin", name, list(args), request["headers"].get("trace")))
            try:
                return inner(task_id, args, kwargs, request, **more)
            finally:
                seen.append(("end", name))

        return tracer

    @app.task(name="traced")
    def traced(x):
        if x < 0:
            raise ValueError(x)
        return x

    monkeypatch.setattr(sys.modules["celery.app.trace"], "build_tracer", build_tracer)
    with start_worker(app, perform_ping_check=False):
        assert traced.apply_async((1,), headers={"trace": "abc"}).get(timeout=10) == 1
        with pytest.raises(ValueError, match="-1"):
            traced.delay(-1).get(timeout=10)
    assert seen == [
        ("begin", "traced", [1], "abc"),
        ("run", "traced"),
        ("end", "traced"),
        ("begin", "traced", [-1], None),
        ("run", "traced"),
        ("end", "traced"),
    ]


def test_a_task_tells_whether_its_class_has_a_call_of_its_own(app):
    class Called(app.Task):
        def __call__(self, *args, **kwargs):
            return self.run(*args, **kwargs)

    plain = app.task(name="plain")(lambda: None)
    called = app.task(name="called", base=Called)(lambda: None)
    assert not celery.app.trace.task_has_custom(plain, "__call__")
    assert celery.app.trace.task_has_custom(called, "__call__")
