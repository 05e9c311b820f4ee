"""``app.amqp``: queues, routes and messages, for who consumes or publishes by himself."""

from __future__ import annotations

import pytest
from kombu import Exchange, Queue
from kombu.common import Broadcast

pytestmark = pytest.mark.covers("app.base.Celery.amqp")


def test_a_broadcast_is_found_and_selected_by_the_name_it_was_given(make_app):
    app = make_app(task_queues=[Broadcast("news"), Queue("q")])
    queue = app.amqp.queues["news"]
    assert queue.name.startswith("bcast.")
    assert queue.exchange.type == "fanout"
    assert "news" not in list(app.amqp.queues)
    app.select_queues("news")
    assert list(app.amqp.queues.consume_from.values()) == [queue]
    app.amqp.queues.select(["news", "q"])
    app.amqp.queues.deselect("news")
    assert list(app.amqp.queues.consume_from) == ["q"]


@pytest.mark.covers("app.base.Celery.select_queues")
def test_workers_of_an_app_listen_to_the_queues_that_were_selected(app):
    app.select_queues(["a", "b"])
    assert list(app.amqp.queues.consume_from) == ["a", "b"]
    assert [queue.name for queue in app.Worker(pool="solo").queues] == ["a", "b"]


def test_other_queues_than_the_configured_ones_may_be_made(app):
    queues = app.amqp.Queues({"a": {"exchange": "x", "exchange_type": "topic", "binding_key": "a.#"}})
    assert (queues["a"].exchange.name, queues["a"].routing_key) == ("x", "a.#")
    assert "a" not in app.amqp.queues


def test_the_queues_of_a_worker_are_a_text(make_app):
    app = make_app(task_queues=[Queue("q", Exchange("e", type="topic"), routing_key="k.#"), Queue("other")])
    app.amqp.queues.select("q")
    assert app.amqp.queues.format().split() == [".>", "q", "exchange=e(topic)", "key=k.#"]
    assert app.amqp.queues.format(indent=4).startswith("    .>")
    assert app.amqp.queues.format(indent=4, indent_first=False).startswith(".>")


def test_a_consumer_of_kombu_receives_tasks(make_app):
    app = make_app()
    app.send_task("t", (1,), task_id="id")
    got = []
    with app.connection_for_read() as connection:
        with app.amqp.TaskConsumer(
            connection.default_channel, callbacks=[lambda body, message: got.append((body, message))]
        ):
            connection.drain_events(timeout=5)
        [(body, message)] = got
        assert message.headers["id"] == "id"
        assert body[0] == [1]
        message.ack()


def test_a_message_can_be_made_and_sent_later(app, record):
    sent = record(app)
    message = app.amqp.create_task_message("id", "t", (1,), {"a": 2}, countdown=10, callbacks=[app.signature("u")])
    assert sent == []
    assert message.headers["task"] == "t"
    assert message.properties["correlation_id"] == "id"
    args, kwargs, embed = message.body
    assert (list(args), dict(kwargs), embed["callbacks"][0]["task"]) == ([1], {"a": 2}, "u")
    app.amqp.send_task_message(None, "t", message, queue="q", priority=5)
    [outgoing] = sent
    assert (outgoing.routing_key, outgoing.properties["priority"], outgoing.headers["id"]) == ("q", 5, "id")
    assert outgoing.eta is not None
    assert app.serializers.of_type(outgoing.content_type).loads(outgoing.body)[0] == [1]


def test_a_message_may_be_sent_through_a_producer_of_kombu(app, claim):
    message = app.amqp.as_task_v2("id", "t")
    with app.producer_or_acquire() as producer:
        app.amqp.send_task_message(producer, "t", message)
    [delivery] = claim(app)
    assert delivery.headers["id"] == "id"


def test_a_message_of_protocol_1_is_all_in_its_body(make_app, record):
    app = make_app(task_protocol=1)
    sent = record(app)
    message = app.amqp.create_task_message("id", "t", (1,))
    assert (message.headers, message.body["task"], message.body["id"], list(message.body["args"])) == (
        {},
        "t",
        "id",
        [1],
    )
    app.amqp.send_task_message(None, "t", message)
    assert app.serializers.of_type("application/json").loads(sent[0].body)["id"] == "id"


@pytest.mark.covers("settings.worker_direct")
def test_a_worker_may_have_a_queue_of_its_own(make_app):
    from celeriac.utils import worker_direct

    app = make_app(worker_direct=True)
    app.select_queues("q")
    own = app.Worker(pool="solo", hostname="w1@host").queues[-1]
    assert (own.name, own.exchange.name, own.exchange.type, own.routing_key) == (
        "w1@host.dq2",
        "C.dq2",
        "direct",
        "w1@host",
    )
    assert own == worker_direct("w1@host")
