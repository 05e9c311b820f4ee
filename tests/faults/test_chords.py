"""A chord's body runs once, whichever process dies between sending it and noting that it was sent."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from celeriac import chord

HERE = Path(__file__).parent
#: The database of Django's, in the process that tries this module with it: Django can be set up once in a process.
DATABASE = "CHORD_DATABASE"


def stores(*others):
    """The stores that a test is tried with."""
    return pytest.mark.parametrize("store", ["django"] if DATABASE in os.environ else list(others), indirect=True)


@pytest.fixture
def store(request, monkeypatch, tmp_path):
    """Set up a broker and a result store of this test's own; `request.param` names the store."""
    kind = request.param
    prefix = ""
    url = f"sqlite:///{tmp_path / 'chords.db'}"
    if kind == "redis":
        prefix = f"chords-{uuid4().hex}:"
        url = f"{request.getfixturevalue('redis_url').rsplit('/', 1)[0]}/15"
    elif kind == "django":
        monkeypatch.syspath_prepend(HERE)
    flags = tmp_path / "flags"
    flags.mkdir()
    named = {"plain": url.replace("sqlite", "plain"), "django": "django-db"}
    monkeypatch.setenv("CHORD_BROKER", url)
    monkeypatch.setenv("CHORD_STORE", named.get(kind, url))
    monkeypatch.setenv("CHORD_PREFIX", prefix)
    monkeypatch.setenv("CHORD_FLAGS", str(flags))
    monkeypatch.setenv("CHORD_JOURNAL", str(tmp_path / "journal"))
    yield kind
    if prefix:
        from redis import Redis

        with Redis.from_url(url) as server:
            keys = list(server.scan_iter(f"{prefix}*"))
            if keys:
                server.delete(*keys)


class Rounds:
    """Chords sent, processes killed, and what was written down."""

    def __init__(self, module, spawn, wait_until, tmp_path):
        self.module, self.app, self._spawn, self.wait_until = module, module.app, spawn, wait_until
        self.flags, self.journal = tmp_path / "flags", tmp_path / "journal"
        self.workers = []

    def start_worker(self, *options, falls=True):
        command = [sys.executable, "-m", "celeriac", "-A", "chorded", "worker", "-l", "INFO", *options]
        flags = {} if falls else {"CHORD_FLAGS": str(self.flags / "none")}
        self.workers.append(self._spawn(*command, cwd=HERE, env=flags))

    def kill(self, point, times):
        for number in range(times):
            (self.flags / f"{point}-{number}").touch()

    def all_killed(self):
        return not any(self.flags.iterdir())

    def noted(self, word):
        lines = [line.split() for line in self.journal.read_text().splitlines()] if self.journal.exists() else []
        return Counter(line[1] for line in lines if line[0] == word)

    def dropped(self):
        return sum(worker.output().count("it was sent before, in another message") for worker in self.workers)

    def settle(self, *queues):
        """Wait until the workers have had all messages of the queues: one that is sent now comes last."""
        for queue in queues:
            self.module.early.signature((0,), queue=queue).apply_async().get(timeout=30)
        for worker in self.workers:
            if worker.poll() is None:
                worker.signal(15)
                worker.wait()


@pytest.fixture
def rounds(store, monkeypatch, spawn, wait_until, tmp_path, request):
    monkeypatch.setenv("CHORD_FORM", getattr(request, "param", "celery"))
    spec = importlib.util.spec_from_file_location("chorded", HERE / "chorded.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "chorded", module)
    spec.loader.exec_module(module)
    with module.app:
        yield Rounds(module, spawn, wait_until, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("point", ["claimed", "sent", "noted"])
@pytest.mark.parametrize("rounds", ["celery", "short"], indirect=True)
@stores("sqlite", "redis")
def test_the_body_runs_once_when_the_child_that_calls_it_is_killed(rounds, point):
    # Given ten chords, and ten times that a child dies where their bodies are called, though none that runs one
    t = rounds.module
    rounds.kill(point, 10)
    rounds.start_worker("-P", "prefork", "-c", "2", "-Q", "celery")
    rounds.start_worker("-P", "threads", "-c", "2", "-Q", "bodies", falls=False)
    bodies = [t.body.s(n) | t.last.s(n) for n in range(10)]
    results = [chord([t.late.s(number) for number in range(5)], body).apply_async() for body in bodies]

    # When all of them have a result
    assert [result.get(timeout=15) for result in results] == [10] * 10
    ended = [result.parent.parent.id for result in results]
    rounds.wait_until(lambda: all(rounds.app.backend.read_chord(each) == (None, []) for each in ended), 30)
    rounds.settle("celery", "bodies")

    # Then each body ran once, and so did what follows it
    assert rounds.noted("body") == rounds.noted("last") == Counter(map(str, range(10)))


@pytest.mark.slow
@pytest.mark.timeout(120)
@stores("sqlite", "redis", "plain")
def test_of_two_messages_of_a_body_that_wait_side_by_side_one_runs(rounds):
    # Given bodies that nobody takes yet, each sent a second time because whoever had sent it died
    t = rounds.module
    rounds.kill("sent", 6)
    rounds.start_worker("-P", "prefork", "-c", "2", "-Q", "celery")
    results = [chord([t.late.s(number) for number in range(3)], t.body.s(n)).apply_async() for n in range(6)]
    rounds.wait_until(rounds.all_killed, 60, "six processes have died")
    if hasattr(rounds.app.backend, "read_chord"):
        ids = [result.parent.id for result in results]
        rounds.wait_until(lambda: all(rounds.app.backend.read_chord(each) == (None, []) for each in ids), 40)

    # When two workers take them at the same time
    rounds.start_worker("-P", "threads", "-c", "4", "-Q", "bodies", falls=False)
    rounds.start_worker("-P", "threads", "-c", "4", "-Q", "bodies", falls=False)
    assert [result.get(timeout=15) for result in results] == [3] * 6
    rounds.wait_until(lambda: rounds.dropped() >= 1, 30, "a message that was sent again is dropped")
    rounds.settle("celery", "bodies")

    # Then each ran once
    assert rounds.noted("body") == Counter(map(str, range(6)))


@pytest.mark.slow
@pytest.mark.timeout(120)
@stores("sqlite", "redis", "plain")
def test_the_body_runs_once_when_the_whole_worker_is_killed(rounds):
    # Given a worker that dies, with all that it was doing, when it has sent a body
    t = rounds.module
    for number in range(3):
        rounds.kill("sent", 1)
        rounds.start_worker("-P", "solo", "-Q", "celery,bodies")
        result = chord([t.late.s(1), t.early.s(2)], t.body.s(number)).apply_async()
        assert rounds.workers[-1].wait(40) == -9

        # When another one goes on
        rounds.start_worker("-P", "solo", "-Q", "celery,bodies")
        assert result.get(timeout=40) == 3
        if hasattr(rounds.app.backend, "read_chord"):
            rounds.wait_until(lambda id=result.parent.id: rounds.app.backend.read_chord(id) == (None, []), 30)
        rounds.settle("celery")

    # Then the body ran once
    assert rounds.noted("body") == Counter(["0", "1", "2"])


@pytest.mark.slow
@pytest.mark.timeout(120)
@stores("sqlite", "redis")
def test_an_errback_is_told_once_when_whoever_tells_it_is_killed(rounds):
    t = rounds.module
    rounds.kill("sent", 5)
    rounds.start_worker("-P", "prefork", "-c", "2", "-Q", "celery,bodies")
    results = [chord([t.fail.s(), t.late.s(1)], t.body.s(n)).on_error(t.tell.s()).apply_async() for n in range(5)]
    errors = [str(result.get(timeout=60, propagate=False)) for result in results]
    assert all(error.startswith("Dependency ") for error in errors)
    ids = [result.parent.id for result in results]
    rounds.wait_until(lambda: all(rounds.app.backend.read_chord(each) == (None, []) for each in ids), 40)
    rounds.settle("celery")
    assert rounds.noted("told") == Counter(result.id for result in results)
    assert rounds.noted("body") == Counter()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_same_holds_where_django_counts_on_postgresql(service, spawn):
    psycopg = pytest.importorskip("psycopg")
    url, name = service("postgresql"), f"celeriac_{uuid4().hex}"
    parts = urlsplit(url)
    there = {"HOST": parts.hostname, "PORT": parts.port, "USER": parts.username, "PASSWORD": parts.password or ""}
    database = json.dumps({"ENGINE": "django.db.backends.postgresql", "NAME": name, **there})
    env = {DATABASE: database, "DJANGO_SETTINGS_MODULE": "chorded_settings", "PYTHONPATH": str(HERE)}
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
            subprocess.run(migrate, env={**os.environ, **env}, check=True, timeout=60)
            tests = spawn(
                sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__, "-k", "short or side", env=env
            )
            assert tests.wait(150) == 0, tests.output()
            assert " passed" in tests.output()
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
