"""``celeriac queues`` on each kind of broker."""

from __future__ import annotations

import json
import uuid

import pytest
from kombu.transport import pyamqp

from celeriac.app.base import Celery


@pytest.fixture(params=["memory", "sqlite", "redis", "rabbitmq"])
def app(request, tmp_path):
    """An app on each kind of broker, with a queue of its own."""
    url = {"memory": f"memory://{uuid.uuid4().hex}", "sqlite": f"sqlite:///{tmp_path}/queue.db"}.get(request.param)
    app = Celery("proj", broker=url or request.getfixturevalue(f"{request.param}_url"), set_as_current=False)
    if request.param == "rabbitmq" and "amqp" not in app.plugins.driver_names("broker"):
        app.plugins.register_driver("broker", "amqp", pyamqp.Transport)
    app.conf.task_default_queue = f"queues-{uuid.uuid4().hex}"
    yield app
    with app.connection_for_write() as connection:
        queue = app.amqp.queues[app.conf.task_default_queue](connection.default_channel)
        queue.declare()
        queue.delete()
        queue.exchange(connection.default_channel).delete()
    app.close()


@pytest.fixture
def queues(celeriac, app):
    """Return ``queues(*words)``: the figures by queue."""

    def call(*words):
        code, output, errors = celeriac("queues", "--json", "-t", "0", *words, app=app)
        assert code == 0, errors
        return {each["queue"]: each for each in json.loads(output)}

    return call


def test_messages_are_counted_on_every_broker(queues, celeriac, app, put):
    name = app.conf.task_default_queue
    assert queues("queues-not-there")["queues-not-there"]["exists"] is False

    put(app, name, "a", "b")

    found = queues()[name]
    assert (found["exists"], found["ready"]) == (True, 2)
    output = celeriac("queues", "-t", "0", "-Q", name, app=app)[1].splitlines()
    assert output[0].split() == ["queue", "ready", "held", "due", "s", "claimed", "oldest", "s", "consumers", "workers"]
    assert output[1].split()[:2] == [name, "2"]


@pytest.mark.parametrize("app", ["memory", "sqlite"], indirect=True)
def test_what_is_held_and_claimed_is_told_and_how_old_the_oldest_is(queues, app, put):
    name = app.conf.task_default_queue
    put(app, name, "a", "b")
    put(app, name, "later", countdown=7200)
    put(app, name, "later", countdown=3600)

    with app.connection_for_read() as connection:
        message = app.amqp.queues[name](connection.default_channel).get()
        found = queues(name)[name]
        message.ack()

    assert (found["ready"], found["held"], found["claimed"]) == (1, 2, 1)
    assert 3000 < found["due"] <= 3600
    assert 0 <= found["oldest"] < 60


@pytest.mark.parametrize("app", ["rabbitmq"], indirect=True)
def test_the_server_tells_who_listens(queues, app, put):
    name = app.conf.task_default_queue
    with app.connection_for_read() as connection, connection.Consumer([app.amqp.queues[name]]):
        assert queues(name)[name]["consumers"] == 1
