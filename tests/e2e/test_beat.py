"""Beat as a program: alone, in a worker, killed; its schedule changed while it runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def environment(tmp_path):
    store = f"sqlite:///{tmp_path / 'queue.db'}"
    return {
        "BEATS_BROKER": store,
        "BEATS_BACKEND": store,
        "BEATS_NOTES": str(tmp_path / "notes"),
        "BEATS_SCHEDULE": json.dumps({"often": {"task": "note", "schedule": 0.2, "args": ["often"]}}),
    }


@pytest.fixture
def celeriac(spawn, environment):
    """Return ``celeriac(*arguments)``: that command for the app `beats_app`."""
    return lambda *arguments: spawn(
        sys.executable, "-m", "celeriac", "-A", "beats_app", *arguments, cwd=HERE, env=environment
    )


@pytest.fixture
def notes(tmp_path):
    """Return ``notes(text)``: when tasks have noted that text."""
    path = tmp_path / "notes"

    def read(text):
        lines = path.read_text().splitlines() if path.exists() else []
        return [float(line.split()[1]) for line in lines if line.split()[0] == text]

    return read


@pytest.mark.covers("cli.beat", "settings.beat_scheduler")
def test_beat_sends_and_a_worker_runs_what_it_sends(celeriac, notes, wait_until, tmp_path):
    celeriac("worker", "-P", "solo")
    beat = celeriac("beat", "-l", "INFO", "-s", str(tmp_path / "schedule"), "--pidfile", str(tmp_path / "beat.pid"))
    wait_until(lambda: len(notes("often")) > 3, timeout=30)
    # A second one is refused
    assert celeriac("beat", "--pidfile", str(tmp_path / "beat.pid")).wait() == 1
    # It ends in order, and its file is whole
    beat.signal(signal.SIGTERM)
    assert beat.wait() == 0
    assert not (tmp_path / "beat.pid").exists()
    assert b'"name":"often"' in (tmp_path / "schedule").read_bytes()


@pytest.mark.covers("cli.worker", "cli.worker.--scheduler", "signals.beat_embedded_init")
def test_beat_in_a_worker(celeriac, notes, wait_until, tmp_path):
    options = ("-B", "-s", str(tmp_path / "schedule"), "--scheduler", "persistent")
    worker = celeriac("worker", "-P", "prefork", "-c", "1", *options)
    wait_until(lambda: len(notes("often")) > 3, timeout=30)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


@pytest.fixture
def schedule(command_line, environment, monkeypatch):
    """Return ``schedule(*words)``: code, output and errors of ``celeriac beat schedule``, in this process."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(HERE)
    yield lambda *words: command_line("-A", "beats_app", "beat", "schedule", *words)
    if (module := sys.modules.pop("beats_app", None)) is not None:
        module.app.close()


def test_the_schedule_is_changed_while_beat_runs(celeriac, schedule, notes, wait_until):
    celeriac("worker", "-P", "solo")
    beat = celeriac("beat", "-S", "store", "-l", "INFO")
    beat.wait_for_output("leading")

    def run(*words):
        code, output, errors = schedule(*words)
        assert code == 0, errors
        return output

    run("add", "own", "note", "--every", "0.2", "--args", '["own"]')
    wait_until(lambda: notes("own"), timeout=20)
    run("pause", "own")
    wait_until(lambda: " paused " in run("list"), timeout=20)
    run("add", "cron", "note", "--crontab", "0 9 * * mon-fri", "--tz", "Europe/Berlin", "--args", '["cron"]')
    assert run("run-now", "cron").strip()
    wait_until(lambda: notes("cron"), timeout=20)
    run("resume", "own")
    listed = {row["name"]: row for row in json.loads(run("list", "--json"))}
    assert listed.keys() == {"often", "own", "cron"}
    assert listed["own"]["enabled"]
    assert listed["cron"]["schedule"]["tz"] == "Europe/Berlin"
    run("remove", "cron")
    code, _, errors = schedule("remove", "cron")
    assert code == 1
    assert "there is no entry 'cron'" in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["beat", "-S", "nowhere"], "offers the scheduler 'nowhere'"),
        (["beat", "--detach", "-S", "nowhere"], "offers the scheduler 'nowhere'"),
        (["beat", "--umask", "9"], "'9' is no umask"),
        (["beat", "-S", "store", "--health", "nowhere"], "must be HOST:PORT or unix:PATH"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(celeriac, arguments, words):
    command = celeriac(*arguments)
    assert command.wait() != 0
    assert words in command.output()
    assert "Traceback" not in command.output()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "give one of --every, --crontab and --at"),
        (["--crontab", "61 * * * *"], "minute: 61 is out of range; it takes 0-59"),
        (["--every", "1", "--args", "x"], "--args is no JSON"),
        (["--every", "0"], "--every: "),
        (["--every", "-5"], "--every: "),
        (["--at", "tomorrow"], "--at: "),
        (["--at", "2020-01-01"], "this never comes: once: 2020-01-01T00:00:00"),
        (["--every", "1e13"], "this never comes: "),
        (["--every", "1e300"], "an interval is no longer than 999999999 days"),
        (["--crontab", "0 9 * *"], "--crontab: "),
        (["--crontab", "0 9 * * mon", "--tz", "Mars/North"], "no time zone 'Mars/North'"),
    ],
)
def test_an_entry_that_is_wrong_is_told_in_a_line_and_not_added(schedule, words, told):
    code, _, errors = schedule("add", "n", "t", *words)
    assert code == 2
    assert told in errors
    assert json.loads(schedule("list", "--json")[1]) == []


@pytest.mark.covers(
    "cli.beat.--detach",
    "cli.beat.--pidfile",
    "cli.beat.--logfile",
    "cli.beat.--umask",
    "cli.beat.--executable",
    "cli.beat.--uid",
    "cli.beat.--gid",
    "cli.beat.--scheduler",
    "cli.beat.--max-interval",
    "cli.beat.--enable-remote-control",
    "cli.beat.--hostname",
)
def test_beat_runs_in_the_background_and_tells_of_its_health(celeriac, notes, wait_until, tmp_path):
    # Given beat in the background
    celeriac("worker", "-P", "solo")
    pidfile, address = tmp_path / "beat.pid", str(tmp_path / "health.sock")
    started = celeriac(
        *("beat", "--detach", "--pidfile", str(pidfile), "--logfile", str(tmp_path / "beat.log"), "-l", "INFO"),
        *("--umask", "077", "--executable", sys.executable, "--uid", str(os.getuid()), "--gid", str(os.getgid())),
        *("--schedule", str(tmp_path / "schedule"), "--health", f"unix:{address}", "--scheduler", "persistent"),
        *("--max-interval", "1", "--enable-remote-control", "--hostname", "back@beat", "--logformat", "json"),
    )
    assert started.wait() == 0, started.output()
    pid = int(pidfile.read_text())
    try:
        # Then it sends, has no terminal, and answers
        wait_until(lambda: len(notes("often")) > 3, timeout=30, message="tasks are sent")
        assert os.getsid(pid) == pid
        assert (tmp_path / "beat.log").stat().st_mode & 0o777 == 0o600
        records = [json.loads(line) for line in (tmp_path / "beat.log").read_text().splitlines() if line[:1] == "{"]
        assert any("often" in record["message"] for record in records)
        assert asked(address, "/livez") == (200, {"alive": True})
        assert asked(address, "/readyz") == (200, {"ready": True, "faults": []})
        status = asked(address, "/status")[1]
        assert (status["pid"], status["ready"], status["leads"]) == (pid, True, True)
        assert status["entries"] > 0
        assert asked(address, "/else")[0] == 404
        asking = celeriac("status", "-d", "back@beat", "-t", "20")
        assert (asking.wait(), asking.output().splitlines()[0]) == (0, "->  back@beat: OK")
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not pidfile.exists(), 20, "the pid file is gone")
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 20, "beat is gone")


def asked(address, path):
    """The status and the answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(address)
        connection.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        text = b""
        while more := connection.recv(4096):
            text += more
    head, _, body = text.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


PROGRAM = """
import os
import signal
import sys
from celeriac import Celery, signals

app = Celery("told", imports=["csv"])

@signals.beat_init.connect
def told(sender, **_):
    print(type(sender).__name__, "begins", "csv" in sys.modules, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

app.Beat(schedule="schedule", loglevel="INFO").run()
"""


@pytest.mark.covers("app.base.Celery.Beat", "signals.beat_init")
def test_beat_is_run_by_a_program_and_tells_it_when_it_begins(spawn, tmp_path):
    (tmp_path / "told.py").write_text(PROGRAM)
    program = spawn(sys.executable, "told.py", cwd=tmp_path)
    assert program.wait() == 0
    assert "Service begins True" in program.output()
