"""Watching a worker with processes, on each broker: by a receiver, on the command line, over a lost connection."""

from __future__ import annotations

import importlib.util
import os
import pty
import signal
import socket
import sys
import termios
import threading
import uuid
from pathlib import Path

import kombu
import pytest

HERE = Path(__file__).parent
SCRIPT = [sys.executable, "-m", "celeriac", "-A", "watched"]


@pytest.fixture(params=["redis", "rabbitmq", "sqlite"])
def broker(request, tmp_path):
    """The URL of a broker."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'queue.db'}"
    return request.getfixturevalue(f"{request.param}_url")


class Watched:
    """The module `watched`, on one broker; and processes of it."""

    def __init__(self, broker, spawn, monkeypatch):
        self.name = f"celeriac-test-{uuid.uuid4().hex}"
        self.broker = broker
        self._spawn = spawn
        monkeypatch.setenv("WATCHED", self.name)
        monkeypatch.setenv("WATCHED_BROKER", broker)
        spec = importlib.util.spec_from_file_location("watched", HERE / "watched.py")
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.app = self.module.app

    def worker(self, *options, name="w@host"):
        worker = self._spawn(*SCRIPT, "worker", "-c", "2", "-n", name, "-l", "INFO", *options, cwd=HERE)
        worker.wait_for_output("ready.")
        return worker

    def events(self, *options):
        return self._spawn(*SCRIPT, "events", *options, cwd=HERE)

    def clean_up(self):
        with self.app.connection_for_write() as connection:
            if connection.transport.driver_type == "amqp":
                channel = connection.channel()
                for delete, name in [
                    (channel.queue_delete, self.name),
                    (channel.exchange_delete, self.name),
                    (channel.exchange_delete, f"{self.name}.ev"),
                    (channel.exchange_delete, f"{self.name}.pidbox"),
                    (channel.exchange_delete, f"reply.{self.name}.pidbox"),
                ]:
                    delete(name)
            elif connection.transport.driver_type == "redis":
                client = connection.default_channel.client
                client.delete("none", *client.keys(f"*{self.name}*"))
        self.app.close()


@pytest.fixture
def watch(broker, spawn, monkeypatch):
    watched = Watched(broker, spawn, monkeypatch)
    yield watched
    for process in spawn.started:
        process.kill()
    watched.clean_up()


@pytest.fixture
def heard(watch, wait_until):
    """The events that a receiver hears of the worker, as they come."""
    events, is_over = [], threading.Event()

    class Receiver(watch.app.events.Receiver):
        def on_consume_ready(self, *args, **kwargs):
            is_ready.set()

        def process(self, type, event):
            events.append(event)

    is_ready = threading.Event()

    def listen():
        with watch.app.connection_for_read() as connection:
            for _ in Receiver(connection).itercapture():
                if is_over.is_set():
                    return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    wait_until(is_ready.is_set)
    yield events
    is_over.set()
    with watch.app.events.default_dispatcher("end@host") as dispatcher:
        dispatcher.send("worker-farewell")
    thread.join(10)
    assert not thread.is_alive()


def of(events, uuid):
    return [event["type"].removeprefix("task-") for event in events if event.get("uuid") == uuid]


@pytest.mark.covers("cli.worker")
def test_a_worker_with_processes_tells_all_of_its_tasks(watch, heard, wait_until):
    # Given a worker that tells, when tasks end well and badly
    worker = watch.worker("-E", "--heartbeat-interval", "0.2")
    good = [watch.app.send_task("add", (1, number)).id for number in range(50)]
    bad = watch.app.send_task("fail").id
    wait_until(lambda: all(len(of(heard, uuid)) >= 3 for uuid in [*good, bad]), timeout=30)
    # Then each is told of from its arrival to its end, in this order
    for uuid_ in good:
        assert of(heard, uuid_) == ["received", "started", "succeeded"]
    assert of(heard, bad) == ["received", "started", "failed"]
    failed = next(event for event in heard if event["type"] == "task-failed")
    assert failed["exception"] == "ValueError('no')"
    assert "Traceback (most recent call last)" in failed["traceback"]
    # And the worker itself, when it comes, while it is there, when it goes
    wait_until(lambda: any(event.get("processed") == 51 for event in heard))
    worker.signal(signal.SIGTERM)
    wait_until(lambda: any(event["type"] == "worker-offline" for event in heard), timeout=30)
    told = [event for event in heard if event["type"].startswith("worker-")]
    assert told[0]["type"] == "worker-online"
    assert told[1]["type"] == "worker-heartbeat"
    assert all(event["pid"] == worker.pid for event in told)
    assert told[-1]["processed"] == 51
    assert worker.wait() == 0


def test_of_two_workers_one_sends_the_task_that_they_elect_one_for(watch, heard, wait_until):
    # Given two workers, of which the second has asked the first what it knows
    watch.worker("-E", "--heartbeat-interval", "0.2", name="one@host")
    second = watch.worker("-E", "--heartbeat-interval", "0.2", name="two@host")
    assert "In step with 1 other workers" in second.output()

    def beats(name):
        return sum(event["hostname"] == name and event["type"] == "worker-heartbeat" for event in heard)

    wait_until(lambda: beats("one@host") > 2 and beats("two@host") > 2, timeout=30)
    # When they are asked to elect one that sends a task, and then one that sends another
    for number in range(2):
        watch.app.control.election(f"e{number}", "task", watch.app.signature("add", (1, number)))
    wait_until(lambda: sum(event["type"] == "task-succeeded" for event in heard) == 2, timeout=30)
    watch.app.send_task("fail")
    wait_until(lambda: any(event["type"] == "task-failed" for event in heard), timeout=30)
    # Then each was sent once
    assert sorted(event["result"] for event in heard if event["type"] == "task-succeeded") == ["1", "2"]
    elected = [event for event in heard if event["type"] == "worker-elect"]
    assert sorted((event["hostname"], event["id"]) for event in elected) == [
        (name, id) for name in ("one@host", "two@host") for id in ("e0", "e1")
    ]


def test_a_worker_tells_only_of_itself_unless_it_is_asked_to(watch, heard, wait_until):
    watch.worker("--heartbeat-interval", "0.2")
    watch.app.send_task("add", (1, 1))
    wait_until(lambda: any(event.get("processed") == 1 for event in heard), timeout=30)
    assert {event["type"] for event in heard} == {"worker-online", "worker-heartbeat"}


def test_events_are_shown_on_the_command_line(watch):
    watch.worker("-E", "--heartbeat-interval", "0.2")
    dump = watch.events("--dump")
    dump.wait_for_output("w@host [")
    uuid_ = watch.app.send_task("add", (1, 2)).id
    dump.wait_for_output("task-succeeded")
    lines = dump.output().splitlines()
    assert lines[0] == "-> evdump: starting capture..."
    assert any(f"task-received: add({uuid_}) args=(1, 2) kwargs={{}}" in line for line in lines)
    assert any(f"task-succeeded: add({uuid_})" in line and "result=3" in line for line in lines)
    dump.signal(signal.SIGTERM)
    assert dump.wait() == 0


CAMERA = """
import json
from celeriac.events.snapshot import Polaroid

class Camera(Polaroid):
    clear_after = True

    def on_shutter(self, state):
        tasks = {task.name: task.state for _, task in state.tasks_by_time()}
        print(json.dumps([sorted(w.hostname for w in state.alive_workers()), tasks]), flush=True)
"""


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_a_camera_is_run_from_the_command_line(watch, tmp_path, monkeypatch):
    (tmp_path / "cameras.py").write_text(CAMERA)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    watch.worker("-E", "--heartbeat-interval", "0.2")
    pidfile = tmp_path / "camera.pid"
    camera = watch.events("-c", "cameras.Camera", "-F", "0.1", "--maxrate", "100/s", "--pidfile", str(pidfile))
    camera.wait_for_output('["w@host"]')
    assert int(pidfile.read_text()) == camera.pid
    watch.app.send_task("add", (1, 2))
    camera.wait_for_output('[["w@host"], {"add": "SUCCESS"}]')
    camera.signal(signal.SIGTERM)
    assert camera.wait() == 0
    assert not pidfile.exists()


@pytest.mark.covers(
    "cli.events",
    "cli.events.--camera",
    "cli.events.--detach",
    "cli.events.--frequency",
    "cli.events.--maxrate",
    "cli.events.--loglevel",
    "cli.events.--logfile",
    "cli.events.--pidfile",
    "cli.events.--uid",
    "cli.events.--gid",
    "cli.events.--umask",
    "cli.events.--executable",
)
@pytest.mark.parametrize("broker", ["sqlite"], indirect=True)
def test_a_camera_may_run_in_the_background(watch, tmp_path, monkeypatch, wait_until):
    # Given a camera that writes to a file
    pictures, pidfile = tmp_path / "pictures", tmp_path / "camera.pid"
    text = CAMERA.replace("print(", f"open({str(pictures)!r}, 'a').write(").replace(", flush=True)", " + '\\n')")
    (tmp_path / "cameras.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    watch.worker("-E", "--heartbeat-interval", "0.2")

    # When it is started in the background
    started = watch.events(
        *("--detach", "--camera", "cameras.Camera", "--frequency", "0.1", "--maxrate", "100/s", "--umask", "077"),
        *("--pidfile", str(pidfile), "--logfile", str(tmp_path / "log"), "--loglevel", "INFO"),
        *("--uid", str(os.getuid()), "--gid", str(os.getgid()), "--executable", sys.executable),
    )
    assert started.wait() == 0, started.output()
    pid = int(pidfile.read_text())
    try:
        # Then it takes pictures, and has no terminal
        wait_until(lambda: pictures.exists() and '["w@host"]' in pictures.read_text(), 30, "a picture is taken")
        assert os.getsid(pid) == pid
        assert pictures.stat().st_mode & 0o777 == 0o600
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not pidfile.exists(), 20, "the pid file is gone")
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 20, "the camera is gone")

    # And what nobody could see is refused
    refused = watch.events("--detach", "--dump")
    assert refused.wait() == 2
    assert "--detach needs a --camera" in refused.output()


@pytest.mark.parametrize("broker", ["sqlite"], indirect=True)
def test_what_cannot_be_watched_is_an_error_in_a_line(watch, tmp_path):
    live = watch.events()
    assert live.wait() == 2
    assert "the live view needs a terminal; use --dump, or --camera" in live.output()
    (tmp_path / "taken.pid").write_text(f"{os.getpid()}\n")
    camera = watch.events("-c", "celeriac.events.snapshot:Polaroid", "--pidfile", str(tmp_path / "taken.pid"))
    assert camera.wait() == 1
    assert f"belongs to process {os.getpid()}, which runs" in camera.output()
    nowhere = watch.events("-c", "nowhere.Camera")
    assert nowhere.wait() != 0
    assert "No module named 'nowhere'" in nowhere.output()
    rate = watch.events("-c", "celeriac.events.snapshot:Polaroid", "-r", "often")
    assert rate.wait() != 0
    assert "'often' is no rate" in rate.output()


@pytest.mark.parametrize("broker", ["sqlite"], indirect=True)
def test_the_live_view_shows_workers_and_tasks_in_a_terminal(watch, wait_until):
    watch.worker("-E", "--heartbeat-interval", "0.2")
    ours, theirs = pty.openpty()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.chdir(HERE)
        for number in range(3):
            os.dup2(theirs, number)
        os.execve(SCRIPT[0], [*SCRIPT, "events", "-F", "0.1"], {**os.environ, "NO_COLOR": "1"})
    before = termios.tcgetattr(theirs)
    seen = bytearray()
    reader = threading.Thread(target=_read, args=(ours, seen))
    reader.start()
    try:
        wait_until(lambda: b"1 of 1 workers alive" in seen and b"ONLINE" in seen, timeout=30)
        task_id = watch.app.send_task("add", (1, 2)).id
        wait_until(lambda: b"1 success" in seen and b"SUCCESS" in seen, timeout=30)
        # When keys are pressed, then it shows what is known of the task, and ends; the terminal is as it was
        os.write(ours, b"ji")
        wait_until(lambda: f"add  {task_id}  SUCCESS".encode() in seen and b"result       3" in seen, timeout=10)
        os.write(ours, b"q")
        wait_until(lambda: seen.endswith(b"\x1b[?25h\x1b[?1049l"), timeout=10)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert termios.tcgetattr(theirs) == before
        assert b"\x1b[3" not in seen  # no colour
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(theirs)
        reader.join(10)
        os.close(ours)


def _read(terminal, seen):
    try:
        while data := os.read(terminal, 4096):
            seen += data
    except OSError:  # its other end is closed
        return


# -- a broker that comes and goes --------------------------------------------------------------------------------------


class Door:
    """Lets connections through to a server; all of them can be cut, and the door be kept shut for a while."""

    def __init__(self, host, port):
        self._target = (host, port)
        self._pairs, self._is_shut = [], False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_shut:
                client.close()
                continue
            server = socket.create_connection(self._target)
            self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            end.close()

    def shut(self):
        self._is_shut = True
        for pair in self._pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        self._pairs.clear()

    def open(self):
        self._is_shut = False

    def close(self):
        self.shut()
        self._listener.close()


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"], indirect=True)
def test_events_go_on_when_the_connection_is_there_again(watch, heard, wait_until):
    # Given a worker that reaches its broker through a door
    parts = kombu.Connection(watch.broker).info()
    door = Door(parts["hostname"] or "127.0.0.1", parts["port"] or 6379)
    try:
        through = watch.broker.replace(f":{parts['port']}", f":{door.port}")
        assert through != watch.broker
        worker = watch.worker("-E", "--heartbeat-interval", "0.2", "-b", through)
        first = watch.app.send_task("add", (1, 1)).id
        wait_until(lambda: of(heard, first) == ["received", "started", "succeeded"], timeout=30)
        # When all connections are cut, and for a while there is no other
        door.shut()
        worker.wait_for_output("Events cannot be sent")
        door.open()
        # Then it is heard again, and of its tasks too, and nothing is told twice
        second = watch.app.send_task("add", (1, 1)).id
        wait_until(lambda: of(heard, second) == ["received", "started", "succeeded"], timeout=40)
        worker.wait_for_output("Events are sent again")
        assert of(heard, first) == ["received", "started", "succeeded"]
    finally:
        door.close()
