"""Queue, exchange and routing key: where each combination of them goes, and that it arrives there."""

from __future__ import annotations

import pytest
from kombu import Exchange, Queue
from kombu.common import Broadcast

from celeriac.exceptions import QueueNotFound

TOPIC = Queue("news", Exchange("feeds", type="topic"), routing_key="feed.#")
DIRECT = Queue("mail", Exchange("post"), routing_key="letters")


@pytest.mark.covers(
    "settings.task_create_missing_queue_exchange_type",
    "settings.task_default_exchange",
    "settings.task_default_exchange_type",
    "settings.task_default_routing_key",
    "settings.task_default_queue",
    "settings.task_queues",
)
@pytest.mark.parametrize(
    ("settings", "options", "expected"),
    [
        ({}, {}, ("", "celery", "celery")),
        ({"task_default_queue": "d"}, {}, ("", "d", "d")),
        ({"task_default_exchange": "e", "task_default_routing_key": "k"}, {}, ("", "celery", "celery")),
        (
            {"task_default_exchange_type": "topic", "task_default_routing_key": "k"},
            {},
            ("celery", "k", "celery"),
        ),
        ({}, {"queue": "q"}, ("", "q", "q")),
        ({}, {"queue": DIRECT}, ("", "mail", "mail")),
        ({}, {"queue": TOPIC}, ("feeds", "feed.#", "news")),
        ({}, {"queue": TOPIC, "routing_key": "feed.a"}, ("feeds", "feed.a", "news")),
        ({}, {"queue": DIRECT, "exchange": "post"}, ("post", "letters", "mail")),
        ({}, {"queue": DIRECT, "exchange": Exchange("post")}, ("post", "letters", "mail")),
        ({}, {"queue": DIRECT, "routing_key": "parcels"}, ("post", "parcels", "mail")),
        ({}, {"exchange": "x"}, ("x", "celery", None)),
        ({"task_default_routing_key": "k"}, {"exchange": "x"}, ("x", "k", None)),
        ({}, {"exchange": "x", "routing_key": "k"}, ("x", "k", None)),
        ({}, {"exchange": "", "routing_key": "k"}, ("", "k", None)),
        ({}, {"routing_key": "k"}, ("celery", "k", "celery")),
        ({"task_create_missing_queue_exchange_type": "topic"}, {"queue": "q"}, ("q", "q", "q")),
        ({"task_queues": [DIRECT]}, {"queue": "mail"}, ("", "mail", "mail")),
    ],
)
def test_where_a_message_goes(make_app, settings, options, expected):
    message = make_app(**settings).publisher.build("t", (), {}, "an-id", options)
    declared = message.queue.name if message.queue is not None else None
    assert (message.exchange, message.routing_key, declared) == expected


def test_a_message_to_a_topic_arrives_where_it_is_bound(make_app, claim):
    app = make_app(task_queues=[TOPIC, Queue("other", Exchange("feeds", type="topic"), routing_key="other.#")])
    for name in ("news", "other"):
        claim(app, name)  # declares it
    app.send_task("t", queue="news", routing_key="feed.sport")
    app.send_task("u", exchange="feeds", routing_key="other.sport")
    assert [delivery.headers["task"] for delivery in claim(app, "news")] == ["t"]
    assert [delivery.headers["task"] for delivery in claim(app, "other")] == ["u"]


def test_a_sender_does_not_become_a_listener_of_a_broadcast(make_app, record):
    app = make_app(task_queues=[Broadcast("news")])
    sent = record(app)
    name = next(iter(app.amqp.queues))
    app.send_task("t", queue=name)
    app.send_task("t", queue="news")
    for message in sent:
        assert isinstance(message.queue, Exchange)
        assert message.exchange == "news"


@pytest.mark.covers("settings.task_default_delivery_mode")
@pytest.mark.parametrize(
    ("settings", "options", "mode"),
    [
        ({}, {}, 2),
        ({"task_default_delivery_mode": "transient"}, {}, 1),
        ({"task_default_delivery_mode": 1}, {}, 1),
        ({"task_default_delivery_mode": 1}, {"delivery_mode": "persistent"}, 2),
        ({}, {"queue": Queue("q", Exchange("e", delivery_mode=1))}, 1),
        ({"task_default_delivery_mode": 1}, {"queue": Queue("q", Exchange("e", delivery_mode="persistent"))}, 2),
    ],
)
def test_the_delivery_mode_is_that_of_the_call_else_of_the_exchange_else_of_the_setting(
    make_app, record, settings, options, mode
):
    app = make_app(**settings)
    sent = record(app)
    app.send_task("t", **options)
    assert sent[0].properties["delivery_mode"] == mode


@pytest.mark.covers("settings.task_create_missing_queues", "exceptions.QueueNotFound")
def test_a_queue_that_is_not_configured_is_refused_where_none_may_be_made(make_app, record):
    app = make_app(task_queues=[Queue("a"), Queue("b")], task_default_queue="a", task_create_missing_queues=False)
    sent = record(app)
    app.send_task("t", queue="b")
    with pytest.raises(QueueNotFound) as caught:
        app.send_task("t", queue="c")
    assert str(caught.value) == (
        "queue 'c' is not in the setting 'task_queues' (known: a, b), and task_create_missing_queues is off"
    )
    assert len(sent) == 1
