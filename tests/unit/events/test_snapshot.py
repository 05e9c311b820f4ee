"""Cameras, and events as lines of text, on a real broker in memory."""

from __future__ import annotations

import io
import os
import threading

import pytest

from celeriac.events import EventDispatcher
from celeriac.events.dumper import Dumper, evdump
from celeriac.events.snapshot import Polaroid, evcam, seconds_between
from celeriac.events.state import State
from celeriac.exceptions import ImproperlyConfigured


class HandTimer:
    """A timer whose calls are made by the test."""

    def __init__(self):
        self.calls = []

    def call_repeatedly(self, seconds, function):
        self.calls.append((seconds, function))
        return self

    def cancel(self):
        self.calls.pop()


class Camera(Polaroid):
    clear_after = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.pictures, self.cleaned = [], 0

    def on_shutter(self, state):
        self.pictures.append([uuid for uuid, _ in state.tasks_by_time()])

    def on_cleanup(self):
        self.cleaned += 1


@pytest.fixture
def state(make_event):
    state = State()
    state.event(make_event("task-received", uuid="a", name="add"))
    state.event(make_event("task-succeeded", uuid="a"))
    state.event(make_event("task-received", uuid="b", name="add"))
    return state


def test_a_camera_takes_pictures_and_cleans_up_by_its_timer(app, state):
    timer, signals = HandTimer(), []
    with Camera(state, freq=2.0, cleanup_freq=60.0, timer=timer, app=app) as camera:
        camera.shutter_signal.connect(lambda state, **_: signals.append(state), weak=False)
        camera.cleanup_signal.connect(lambda **_: signals.append("cleanup"), weak=False)
        assert [seconds for seconds, _ in timer.calls] == [2.0, 60.0]
        for _, call in timer.calls:
            call()
        timer.calls[0][1]()
        # Tasks that had ended are forgotten after the first picture.
        assert camera.pictures == [["b", "a"], ["b"]]
        assert camera.cleaned == 1
        assert signals == [state, "cleanup", state]
    assert timer.calls == []


def test_a_camera_of_its_own_time_stops_when_it_is_told_to(app, state, wait_until):
    camera = Camera(state, freq=0.005, app=app)
    camera.install()
    wait_until(lambda: len(camera.pictures) > 2)
    camera.cancel()
    taken = len(camera.pictures)
    camera.cancel()
    assert not [thread for thread in threading.enumerate() if thread.name == "celeriac-camera"]
    assert len(camera.pictures) == taken


def test_a_picture_that_fails_is_told_of_and_the_next_is_taken(app, state, wait_until, caplog):
    class Broken(Camera):
        def on_shutter(self, state):
            super().on_shutter(state)
            raise RuntimeError("no film")

    with Broken(state, freq=0.005, app=app) as camera:
        wait_until(lambda: len(camera.pictures) > 2)
    assert "no film" in caplog.text


def test_no_more_pictures_are_taken_than_the_rate_allows(app, state):
    camera = Camera(state, maxrate="1/h", timer=HandTimer(), app=app)
    for _ in range(3):
        camera.capture()
    assert len(camera.pictures) == 1


@pytest.mark.parametrize(("rate", "pause"), [("10/m", 6.0), (2, 0.5), ("4", 0.25), ("1/h", 3600.0), (None, 0.0)])
def test_a_rate_is_a_pause(rate, pause):
    assert seconds_between(rate) == pause


@pytest.mark.parametrize("rate", ["often", "1/y", "0/m", "/s"])
def test_what_is_no_rate_is_refused(rate):
    if rate == "0/m":
        with pytest.raises(ImproperlyConfigured, match="is no rate"):
            seconds_between(rate)
    else:
        with pytest.raises(ImproperlyConfigured, match="rates are like 10/s"):
            seconds_between(rate)


class Control:
    """Stands for workers that are asked for a heartbeat: the receiver listens by then."""

    def __init__(self):
        self.is_asked = threading.Event()

    def broadcast(self, *args, **kwargs):
        self.is_asked.set()


@pytest.fixture
def control(app, monkeypatch):
    control = Control()
    monkeypatch.setitem(app.__dict__, "control", control)
    return control


@pytest.fixture
def run(app, control, wait_until):
    """Return ``run(function, *args, **kwargs)``: calls it in a thread, which an event ``stop-now`` ends."""
    threads = []

    class Receiver(app.events.Receiver):
        def process(self, type, event):
            super().process(type, event)
            if type == "stop-now":
                raise SystemExit

    app.events.__dict__["Receiver"] = Receiver

    def start(function, *args, **kwargs):
        thread = threading.Thread(target=function, args=args, kwargs={**kwargs, "app": app})
        threads.append(thread)
        thread.start()
        wait_until(control.is_asked.is_set)
        return thread

    def send(*types, **fields):
        with app.connection_for_write() as connection, EventDispatcher(connection, "w@host", app=app) as dispatcher:
            for kind in types:
                dispatcher.send(kind, **fields)

    start.send = send
    yield start
    for thread in threads:
        if thread.is_alive():
            send("stop-now")
        thread.join(10)
        assert not thread.is_alive()


def test_events_are_written_as_lines(run, wait_until):
    out = io.StringIO()
    thread = run(evdump, out=out)
    run.send("task-received", uuid="a", name="add", args="(1,)", kwargs="{}", retries=0)
    run.send("task-succeeded", uuid="a", result="2")
    run.send("worker-heartbeat", active=1)
    run.send("stop-now")
    thread.join(10)
    lines = out.getvalue().splitlines()
    assert lines[0] == "-> evdump: starting capture..."
    assert lines[1].startswith("w@host [20")
    assert "task-received: add(a) args=(1,) kwargs={} clock=" in lines[1]
    # The name is known from before.
    assert "task-succeeded: add(a) args=(1,) kwargs={} clock=" in lines[2]
    assert "result=2" in lines[2]
    assert "worker-heartbeat: active=1, clock=" in lines[3]


def test_a_line_is_written_of_whatever_comes():
    out = io.StringIO()
    dumper = Dumper(out)
    dumper.on_event({"type": "Odd"})
    dumper.on_event({"type": "task-failed", "uuid": "x", "timestamp": None, "exception": "E"})
    assert out.getvalue().splitlines() == [
        " [1970-01-01 00:00:00+00:00] odd: ",
        " [1970-01-01 00:00:00+00:00] task-failed:  exception=E, uuid=x",
    ]


def test_a_camera_sees_the_events_of_the_cluster(run, wait_until, tmp_path):
    taken = []

    class Once(Polaroid):
        def on_shutter(self, state):
            taken.append(([uuid for uuid, _ in state.tasks_by_time()], [w.hostname for w in state.alive_workers()]))

    pidfile = tmp_path / "camera.pid"
    thread = run(evcam, Once, freq=0.01, pidfile=str(pidfile))
    assert pidfile.read_text().strip() == str(os.getpid())
    run.send("worker-online", freq=2.0)
    run.send("task-received", uuid="a", name="add")
    wait_until(lambda: taken and taken[-1] == (["a"], ["w@host"]))
    run.send("stop-now")
    thread.join(10)
    assert not pidfile.exists()


def test_two_cameras_do_not_share_a_pidfile(app, tmp_path):
    pidfile = tmp_path / "camera.pid"
    pidfile.write_text("1\n")
    with pytest.raises(FileExistsError):
        evcam(Polaroid, pidfile=str(pidfile), app=app)
    assert pidfile.exists()


def test_a_camera_is_found_by_name(app):
    with pytest.raises(ImportError):
        evcam("nowhere.to:be_found", app=app)


def test_a_broker_that_is_not_there_from_the_first_is_an_error(make_app, monkeypatch):
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "memory,redis")
    app = make_app(broker="redis://127.0.0.1:1/0")
    with pytest.raises(app.connection_errors):
        evdump(app, out=io.StringIO())
