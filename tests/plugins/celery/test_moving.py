"""Messages moved by what is in them, through ``celery.contrib.migrate``."""

from __future__ import annotations

from uuid import uuid4

import pytest
from celery import Celery
from celery.contrib import migrate
from celery.contrib.testing.worker import start_worker
from kombu import Queue


@pytest.fixture(params=["memory", "redis", "rabbitmq"])
def url(request):
    return f"memory://{uuid4().hex}" if request.param == "memory" else request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def app(url):
    name = uuid4().hex
    with Celery(name, broker=url, backend=f"memory://{name}", set_as_current=False) as app:
        app.conf.task_default_queue = f"from-{name}"
        app.task(name="add")(lambda x, y: x + y)
        app.task(name="mul")(lambda x, y: x * y)
        yield app
        with app.connection() as connection:
            for queue in (f"from-{name}", f"to-{name}", f"new-{name}"):
                Queue(queue)(connection.default_channel).delete()


def waiting(app, queue):
    with app.connection() as connection:
        return Queue(queue)(connection.default_channel).queue_declare(passive=False).message_count


def test_what_is_wanted_goes_and_the_rest_stays_in_its_order(app):
    source, target = app.conf.task_default_queue, f"to-{app.main}"
    sent = [app.send_task(name, (n, 10), expires=300) for n, name in enumerate(["add", "mul", "add", "add"])]

    state = migrate.move(
        lambda body, message: body["task"] == "add" and body["args"][0] > 0, app=app, transform=lambda _: Queue(target)
    )

    assert (state.count, state.filtered) == (4, 2)
    assert (waiting(app, source), waiting(app, target)) == (2, 2)
    with start_worker(app, queues=[source, target], perform_ping_check=False):
        assert [result.get(timeout=10) for result in sent] == [10, 10, 12, 13]


def test_one_is_found_by_its_id(app):
    sent = [app.send_task("add", (n, 1)) for n in range(3)]
    seen = []

    state = migrate.move_task_by_id(
        sent[1].id, f"to-{app.main}", app=app, callback=lambda state, body, message: seen.append(body["id"])
    )

    assert (state.filtered, seen) == (1, [sent[1].id])
    assert waiting(app, app.conf.task_default_queue) == 2
    with start_worker(app, queues=[f"to-{app.main}"], perform_ping_check=False):
        assert sent[1].get(timeout=10) == 2


def test_a_filter_that_has_seen_enough_gives_the_rest_back(app):
    for n in range(3):
        app.send_task("add", (n, 1))

    def look(body, message):
        raise migrate.StopFiltering

    with app.connection() as connection:
        state = migrate.start_filter(app, connection, look)

    assert state.count == 1
    assert state.strtotal == "3"
    assert waiting(app, app.conf.task_default_queue) == 3


def test_all_goes_to_another_broker_under_another_name(app):
    source = app.conf.task_default_queue
    sent = [app.send_task("add", (n, 1)) for n in range(3)]

    with app.connection() as here, app.connection() as there:
        state = migrate.migrate_tasks(here, there, app=app, queues={source: f"new-{app.main}"}, ack_messages=True)

    assert state.count == 3
    assert waiting(app, source) == 0
    with start_worker(app, queues=[f"new-{app.main}"], perform_ping_check=False):
        assert [result.get(timeout=10) for result in sent] == [1, 2, 3]
