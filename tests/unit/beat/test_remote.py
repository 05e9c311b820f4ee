"""Beat among the nodes that remote control reaches."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import pytest

from celeriac.beat import Scheduler, Service
from celeriac.beat.remote import PingNode


@pytest.fixture
def serve(make_app, redis_url, tmp_path, wait_until):
    """Return ``serve(**settings)``: an app whose beat runs in a thread, under a name of its own."""
    running = []

    def start(**settings):
        app = make_app(
            broker=redis_url,
            control_exchange=f"beats-{uuid4().hex}",
            beat_enable_remote_control=True,
            beat_schedule_filename=str(tmp_path / "schedule"),
            **settings,
        )
        service = Service(app, hostname="celerybeat@here")
        thread = threading.Thread(target=service.start)
        running.append((service, thread))
        thread.start()
        return app

    yield start
    for service, thread in running:
        service.stop()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def redis_is_a_broker(monkeypatch, make_app):
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "memory,redis")


@pytest.mark.covers("settings.beat_enable_remote_control")
def test_beat_answers_ping_and_nothing_else(serve, wait_until):
    app = serve()
    wait_until(lambda: app.control.ping(timeout=0.3) == [{"celerybeat@here": {"ok": "pong"}}], timeout=20)
    assert app.control.broadcast("stats", reply=True, timeout=0.5) in (None, [])


@pytest.mark.covers("settings.beat_remote_control_max_tick_age")
def test_a_beat_that_does_not_tick_is_silent(app):
    # Given a scheduler whose last tick was ten seconds ago
    scheduler = Scheduler(app, lazy=True)
    scheduler.monotonic_last_tick = time.monotonic() - 10
    node = PingNode("celerybeat@here", {}, handlers={"ping": lambda state: {"ok": "pong"}}, mailbox=app.control.mailbox)
    node.scheduler = scheduler
    # Then it answers if that is not too long, and else says nothing
    for age, answer in ((None, {"ok": "pong"}), (60, {"ok": "pong"}), (5, None)):
        node.max_tick_age = age
        assert node.dispatch("ping") == answer
