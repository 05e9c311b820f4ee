"""Beat as a program: alone, in a worker, killed; its schedule changed while it runs."""

from __future__ import annotations

import json
import signal
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


@pytest.mark.covers("cli.worker", "signals.beat_embedded_init")
def test_beat_in_a_worker(celeriac, notes, wait_until, tmp_path):
    worker = celeriac("worker", "-P", "prefork", "-c", "1", "-B", "-s", str(tmp_path / "schedule"))
    wait_until(lambda: len(notes("often")) > 3, timeout=30)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_the_schedule_is_changed_while_beat_runs(celeriac, notes, wait_until):
    celeriac("worker", "-P", "solo")
    beat = celeriac("beat", "-S", "store", "-l", "INFO")
    beat.wait_for_output("leading")

    def run(*arguments):
        command = celeriac("beat", "schedule", *arguments)
        assert command.wait() == 0, command.output()
        return command.output()

    run("add", "own", "note", "--every", "0.2", "--args", '["own"]')
    wait_until(lambda: notes("own"), timeout=20)
    run("pause", "own")
    wait_until(lambda: "own (paused): note" in run("list"), timeout=20)
    run("add", "cron", "note", "--crontab", "0 9 * * mon-fri", "--tz", "Europe/Berlin", "--args", '["cron"]')
    assert run("run-now", "cron").strip()
    wait_until(lambda: notes("cron"), timeout=20)
    run("resume", "own")
    listed = {row["name"]: row for row in json.loads(run("list", "--json"))}
    assert listed.keys() == {"often", "own", "cron"}
    assert listed["own"]["enabled"]
    assert listed["cron"]["schedule"]["tz"] == "Europe/Berlin"
    run("remove", "cron")
    absent = celeriac("beat", "schedule", "remove", "cron")
    assert absent.wait() == 1
    assert "there is no entry 'cron'" in absent.output()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["beat", "schedule", "add", "n", "t"], "give one of --every, --crontab and --at"),
        (["beat", "schedule", "add", "n", "t", "--crontab", "61 * * * *"], "minute: 61 is out of range; it takes 0-59"),
        (["beat", "schedule", "add", "n", "t", "--every", "1", "--args", "x"], "--args is no JSON"),
        (["beat", "-S", "nowhere"], "offers the scheduler 'nowhere'"),
        (["beat", "--detach"], "--detach is not there yet"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(celeriac, arguments, words):
    command = celeriac(*arguments)
    assert command.wait() != 0
    assert words in command.output()
    assert "Traceback" not in command.output()
