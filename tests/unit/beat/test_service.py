"""The loop of beat, and the ways to start it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from celeriac import signals
from celeriac.beat import EmbeddedService, PersistentScheduler, Scheduler, Service
from celeriac.beat.service import driver_name


@pytest.fixture
def app(make_app, tmp_path):
    entries = {"often": {"task": "t", "schedule": 0.05}}
    return make_app(beat_schedule=entries, beat_schedule_filename=str(tmp_path / "schedule"))


@pytest.fixture
def heard():
    """The beats that have told that they begin, by signal."""
    found = {"beat_init": [], "beat_embedded_init": []}

    def note_init(sender, **_):
        found["beat_init"].append(sender)

    def note_embedded(sender, **_):
        found["beat_embedded_init"].append(sender)

    signals.beat_init.connect(note_init)
    signals.beat_embedded_init.connect(note_embedded)
    yield found
    signals.beat_init.disconnect(note_init)
    signals.beat_embedded_init.disconnect(note_embedded)


@pytest.mark.covers("signals.beat_init")
def test_a_service_tells_that_it_begins_and_stops_when_told(app, record, heard, wait_until):
    messages = record(app)
    service = Service(app)
    thread = threading.Thread(target=service.start)
    thread.start()
    wait_until(lambda: len(messages) >= 2)
    service.stop(wait=True)
    thread.join(10)
    assert not thread.is_alive()
    assert heard == {"beat_init": [service], "beat_embedded_init": []}


@pytest.mark.covers("signals.beat_embedded_init")
def test_an_embedded_service_tells_that_too(app, record, heard, wait_until):
    messages = record(app)
    embedded = EmbeddedService(app)
    embedded.start()
    wait_until(lambda: messages)
    embedded.stop()
    embedded.stop()
    assert heard == {"beat_init": [embedded.service], "beat_embedded_init": [embedded.service]}


def test_an_embedded_service_that_never_started_can_be_stopped(app):
    EmbeddedService(app).stop()


@pytest.mark.covers("app.base.Celery.Beat")
def test_an_app_makes_beats_of_its_own(app, tmp_path):
    beat = app.Beat(max_interval=3, schedule=str(tmp_path / "other"), scheduler="store")
    assert beat.app is app
    assert (beat.max_interval, beat.schedule, beat.scheduler_cls) == (3, str(tmp_path / "other"), "store")
    assert app.Beat().scheduler_cls == "persistent"


@pytest.mark.covers("settings.beat_scheduler")
@pytest.mark.parametrize(
    "name",
    [
        "persistent",
        "celery.beat:PersistentScheduler",
        "celery.beat.PersistentScheduler",
        "celeriac.beat:PersistentScheduler",
        PersistentScheduler,
    ],
)
def test_a_scheduler_is_named_in_celerys_ways_and_in_ours(make_app, tmp_path, name):
    app = make_app(beat_schedule_filename=str(tmp_path / "schedule"))
    found = app.plugins.driver("scheduler", driver_name(name))
    assert found is PersistentScheduler


@pytest.mark.covers("settings.beat_sync_every")
def test_what_is_known_is_kept_after_so_many_tasks(make_app):
    entries = {"tick": {"task": "t", "schedule": 60, "missed": "all"}}
    scheduler = Scheduler(make_app(beat_schedule=entries, beat_sync_every=2))
    kept = []
    scheduler.sync = lambda: kept.append(scheduler.schedule["tick"].total_run_count)
    scheduler._do_sync()
    scheduler.send_task = lambda *args, **kwargs: None
    scheduler.schedule["tick"].last_run_at -= timedelta(seconds=60 * 4)
    scheduler.tick()
    assert kept == [0, 2, 4]
