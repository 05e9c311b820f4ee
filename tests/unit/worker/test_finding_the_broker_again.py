"""Two connections of a worker to one broker: the first that reaches it again is not waited for by the other."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kombu import Connection

from celeriac.worker import backoff
from celeriac.worker.broker_access import BrokerAccess
from celeriac.worker.connected_steps import ConnectedSteps
from celeriac.worker.hub import WorkerHub


@pytest.fixture
def hub():
    hub = WorkerHub()
    yield hub
    hub.close()


@pytest.fixture
def access(app, hub, monkeypatch):
    monkeypatch.setattr(backoff.Backoff, "pause", lambda self: 3600.0)
    return BrokerAccess(app, hub, False, lambda tags: (), lambda: False, lambda: None)


@pytest.fixture
def connection():
    with Connection("memory://") as connection:
        yield connection


@pytest.fixture
def pump(app, hub, access, connection):
    """The connection of steps that consume messages of their own, beside a lane of another kind."""
    steps = ConnectedSteps(SimpleNamespace(app=app, hub=hub, broker=access, connection=connection, lane=None), [])
    steps.start()
    yield steps._pump
    steps.stop()


def test_the_lane_tries_when_the_other_connection_is_there_again(hub, access, pump, wait_until):
    # Given a broker that neither reaches, and that neither will try for long
    tried = []
    access.note_away(ConnectionError("gone"), lambda: tried.append(True))
    pump.lost(ConnectionError("gone"))
    assert access.is_away

    # When the connection is made
    pump.try_now()
    wait_until(lambda: hub.run_once() or pump.is_connected)

    # Then the lane tries too
    assert tried == [True]
    assert not access.is_away


def test_the_other_connection_is_tried_when_the_lane_has_an_answer(hub, access, pump, wait_until):
    # Given the same
    access.note_away(ConnectionError("gone"), lambda: None)
    pump.lost(ConnectionError("gone"))

    # When the lane is answered
    access.try_now()
    access.note_answer()

    # Then the connection is made too
    wait_until(lambda: hub.run_once() or pump.is_connected)


def test_an_answer_as_always_is_no_reason_to_connect(access, pump):
    pump.lost(ConnectionError("gone"))
    access.note_answer()
    access.try_now()
    assert not pump.is_connected
