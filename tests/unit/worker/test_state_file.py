"""What a worker knows after its end: in its file, and in the result store."""

from __future__ import annotations

import json
import os
import time
import uuid

import pytest

from celeriac import Celery
from celeriac.exceptions import ImproperlyConfigured
from celeriac.worker.revocations import Revocations
from celeriac.worker.shared_revokes import SharedRevokes
from celeriac.worker.state_file import StateFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "worker.state"


def test_what_was_revoked_and_the_clock_come_back(app, path):
    # Given a file in which a worker has written what it knew
    known = Revocations()
    known.add_ids(["a", "b"])
    known.add_ids(["old"], since=time.time() - known.ids.seconds - 1)
    known.add_stamps({"tenant": ["x", "y"]})
    app.clock.adjust(500)
    StateFile(path, app, known).write()
    # When another one reads it, then it knows the same, less what has expired
    other = Celery("other", set_as_current=False)
    found = Revocations()
    StateFile(path, other, found).read()
    assert list(found.ids) == ["a", "b"]
    assert list(found.stamps) == [("tenant", "x"), ("tenant", "y")]
    assert found.is_any
    assert other.clock.value > 500
    assert os.listdir(path.parent) == [path.name]


def test_a_worker_without_a_file_begins_with_nothing(app, path):
    found = Revocations()
    StateFile(path, app, found).read()
    assert not found.is_any
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04pickled",
        b"[]",
        b"{}",
        b'{"format": "other", "version": 1}',
        json.dumps({"format": "celeriac-worker-state", "version": 2, "clock": 1, "revoked": []}).encode(),
        json.dumps(
            {"format": "celeriac-worker-state", "version": 1, "clock": 1, "revoked": [1], "revoked_stamps": []}
        ).encode(),
        b'{"format": "celeriac-worker-state", "version": 1, "clock": 1e999, "revoked": [], "revoked_stamps": []}',
        b"[" * 100_000,
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_and_left_alone(app, path, content):
    path.write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match="is no state file of Celeriac"):
        StateFile(path, app, Revocations()).read()
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_written_is_told_of_and_nothing_is_left_behind(app, path, caplog):
    path.mkdir()  # nothing can be put in its place
    StateFile(path, app, Revocations()).write()
    assert "cannot be written, and revoked tasks may be forgotten" in caplog.text
    assert os.listdir(path.parent) == [path.name]


@pytest.fixture
def new_app():
    """Return ``new_app(backend)``: an app on a broker of its own."""
    apps = []

    def make(backend, **settings):
        broker = settings.pop("broker", f"memory://{uuid.uuid4()}")
        app = Celery("proj", broker=broker, backend=backend, set_as_current=False, **settings)
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.close()


@pytest.mark.covers("settings.worker_state_db")
def test_a_worker_that_was_restarted_still_refuses_what_was_revoked(new_app, start_worker, wait_until, path):
    ran = []
    app = new_app("disabled://", worker_state_db=str(path))
    work = app.task(name="proj.work", shared=False)(ran.append)
    worker, thread = start_worker(app, hostname="one@host")
    wait_until(lambda: app.control.revoke("gone", reply=True, limit=1, timeout=1), 20, "it is told")
    wait_until(lambda: "gone" in path.read_text(), message="it is written before the worker ends")
    worker.stop()
    thread.join(20)
    start_worker(app, hostname="one@host")
    work.apply_async((1,), task_id="gone")
    work.apply_async((2,))
    wait_until(lambda: ran, message="the other one runs")
    assert ran == [2]


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store_url(request, tmp_path, service):
    if request.param == "redis":
        return service("redis")
    return f"memory://{uuid.uuid4()}" if request.param == "memory" else f"sqlite:///{tmp_path}/store.db"


def test_a_store_with_primitives_tells_every_worker_that_starts_later(new_app, store_url):
    settings = {}
    if store_url.startswith("redis"):
        settings["result_backend_transport_options"] = {"global_keyprefix": f"celeriac-test-{uuid.uuid4()}-"}
    app = new_app(store_url, **settings)
    first = SharedRevokes(app, Revocations())
    first.add_ids(["a", "b"])
    first.add_stamps([("tenant", "x")])
    known = Revocations()
    SharedRevokes(app, known).read()
    assert set(known.ids) == {"a", "b"}
    assert list(known.stamps) == [("tenant", "x")]
    # What has expired is forgotten in the store too
    SharedRevokes(app, Revocations(seconds=-1)).read()
    found = Revocations()
    SharedRevokes(app, found).read()
    assert not found.is_any


def test_a_store_without_primitives_or_that_is_away_keeps_no_worker_from_starting(new_app, app, caplog):
    shared = SharedRevokes(app, Revocations())
    shared.add_ids(["a"])
    shared.read()
    assert caplog.text == ""
    away = new_app("redis://127.0.0.1:1/0", result_backend_max_retries=0)
    found = Revocations()
    shared = SharedRevokes(away, found)
    shared.add_ids(["a"])
    shared.read()
    assert not found.is_any
    assert "does not keep 1 revoked tasks" in caplog.text
    assert "cannot be read from the result store" in caplog.text


@pytest.mark.parametrize("member", ["s", "s[1]", "s" + "[" * 100_000, "x"])
def test_a_member_of_the_store_that_is_none_of_ours_is_told_of_and_passed_over(new_app, caplog, member):
    app = new_app(f"memory://{uuid.uuid4()}")
    app.backend.add_members("celeriac.revoked", {member: time.time(), "ia": time.time()})
    found = Revocations()
    SharedRevokes(app, found).read()
    assert list(found.ids) == ["a"]
    assert "a revoked stamp that cannot be read" in caplog.text
