"""What a worker runs beside its tasks, in threads of its own."""

from __future__ import annotations

import threading

import pytest

from celeriac.bootsteps.steps import named_class
from celeriac.contracts import Service
from celeriac.plugin import hookimpl
from celeriac.worker import supervisor as supervising
from celeriac.worker.backoff import Backoff
from celeriac.worker.supervisor import Supervisor, stop_all


class Waiting(Service):
    """Waits until it is told to end; fails before, as often as it is told to."""

    name = "waiting"

    def __init__(self, failures=0):
        self.failures = failures
        self.prepared = self.starts = self.stops = 0
        self.begun, self.over = threading.Event(), threading.Event()

    def prepare(self):
        self.prepared += 1

    def start(self):
        self.starts += 1
        if self.starts <= self.failures:
            raise OSError("no line")
        self.begun.set()
        self.over.wait()

    def stop(self):
        self.stops += 1
        self.over.set()

    def info(self):
        return {"line": 1}


@pytest.fixture
def hurried(monkeypatch):
    """Pauses of almost nothing."""
    monkeypatch.setattr(supervising, "Backoff", lambda: Backoff(first=0.001))


@pytest.fixture
def supervised():
    """Return ``supervised(service)``: its supervisor, started; stopped at the end."""
    started = []

    def start(service):
        found = Supervisor(service)
        found.start()
        started.append(found)
        return found

    yield start
    stop_all(started)


def test_a_service_runs_in_a_thread_until_it_is_stopped(supervised):
    service = Waiting()
    supervisor = supervised(service)
    assert service.begun.wait(10)
    assert supervisor.info() == {"running": True, "restarts": 0, "error": None, "line": 1}
    stop_all([supervisor])
    stop_all([supervisor])
    assert not supervisor.is_running
    assert service.starts == 1


@pytest.mark.usefixtures("hurried")
def test_a_service_that_fails_is_started_again_and_prepared_once(supervised, caplog):
    service = Waiting(failures=3)
    supervisor = supervised(service)
    assert service.begun.wait(10)
    assert (service.prepared, service.starts, supervisor.restarts) == (1, 4, 3)
    assert supervisor.info()["error"] == "OSError('no line')"
    assert caplog.text.count("The service waiting failed; it is started again in") == 3


def test_a_service_that_waits_to_be_started_again_is_stopped_at_once(supervised, monkeypatch, wait_until):
    monkeypatch.setattr(supervising, "Backoff", lambda: Backoff(first=60))
    service = Waiting(failures=1)
    supervisor = supervised(service)
    wait_until(lambda: supervisor.error, message="it has failed")
    stop_all([supervisor])
    assert not supervisor.is_running
    assert service.starts == 1


def test_a_service_that_returns_is_done(supervised, wait_until):
    service = Waiting()
    service.over.set()
    supervisor = supervised(service)
    wait_until(lambda: not supervisor.is_running, message="it has ended")
    assert service.starts == 1


def test_what_a_service_cannot_be_prepared_for_is_told_to_whoever_starts_the_worker():
    class Wrong(Waiting):
        def prepare(self):
            raise ValueError("an address that is none")

    supervisor = Supervisor(Wrong())
    with pytest.raises(ValueError, match="that is none"):
        supervisor.start()
    stop_all([supervisor])
    assert not supervisor.is_running


def test_a_service_that_does_not_end_holds_nobody_up(caplog):
    class Deaf(Waiting):
        name = "deaf"

        def stop(self):
            self.stops += 1
            raise RuntimeError("not now")

    deaf, heard = Deaf(), Waiting()
    supervisors = [Supervisor(deaf), Supervisor(heard)]
    for each in supervisors:
        each.start()
    stop_all(supervisors, timeout=0.2)
    assert not supervisors[1].is_running
    assert deaf.stops > 1, "it is told until it hears"
    assert "left to end with the worker's process: deaf" in caplog.text
    assert "could not be told to stop" in caplog.text
    deaf.over.set()
    assert supervisors[0].has_ended(10)


# -- in a worker -------------------------------------------------------------------------------------------------------


class Agency:
    """What Celery's setting `worker_agent` names."""

    def __init__(self, connection):
        self.connection, self.told = connection, []

    def start(self):
        self.told.append("start")

    def stop(self):
        self.told.append("stop")


@pytest.mark.covers("settings.worker_agent")
def test_a_worker_runs_the_services_of_plugins_and_its_agent(make_app, start_worker, wait_until):
    service = Waiting()

    class Plugin:
        @hookimpl
        def celeriac_worker_services(self, app):
            return [service]

    app = make_app("memory", "memory://", worker_agent=f"{__name__}:Agency")
    app.plugins.register(Plugin())
    worker, thread = start_worker(app)
    assert service.begun.wait(10)
    agency = worker.consumer.agent
    assert agency.connection is worker.consumer.connection
    assert worker.info()["services"]["waiting"]["running"]
    worker.stop()
    wait_until(lambda: not thread.is_alive(), message="the worker has ended")
    assert agency.told == ["start", "stop"]
    assert service.over.is_set()


def test_a_worker_without_services_has_no_agent(make_app, start_worker):
    worker, _ = start_worker(make_app("memory", "memory://"))
    assert "celeriac.worker.consumer.agent.Agent" not in worker.consumer.blueprint.steps


@pytest.mark.parametrize("noun", ["agent", "connection", "control", "events", "gossip", "heart", "mingle", "tasks"])
def test_the_steps_of_the_consumer_are_where_celery_has_them(noun):
    step = named_class(f"celeriac.worker.consumer.{noun}:{noun.capitalize()}")
    assert step.name == f"celeriac.worker.consumer.{noun}.{noun.capitalize()}"
