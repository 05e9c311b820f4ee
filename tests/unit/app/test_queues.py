"""The queues of an app: configured in every form, made when named, selected by a worker."""

from __future__ import annotations

import pytest
from kombu import Exchange, Queue

from celeriac.exceptions import ImproperlyConfigured, QueueNotFound


def described(queue):
    return queue.name, queue.exchange.name, queue.exchange.type, queue.routing_key


def test_without_configuration_there_is_the_default_queue(app):
    assert [described(queue) for queue in app.amqp.queues.values()] == [("celery", "celery", "direct", "celery")]
    assert app.amqp.default_queue.name == "celery"
    assert app.amqp.default_exchange.name == "celery"


def test_the_default_queue_may_be_described_in_parts(make_app):
    app = make_app(
        task_default_queue="q",
        task_default_exchange="e",
        task_default_exchange_type="topic",
        task_default_routing_key="k.#",
    )
    assert described(app.amqp.default_queue) == ("q", "e", "topic", "k.#")


@pytest.mark.parametrize(
    "queues",
    [
        [Queue("a", Exchange("a"), routing_key="a"), Queue("b", Exchange("x", type="topic"), routing_key="b.#")],
        (Queue("a", Exchange("a"), routing_key="a"), Queue("b", Exchange("x", type="topic"), routing_key="b.#")),
        {
            "a": {"exchange": "a", "routing_key": "a"},
            "b": {"exchange": "x", "exchange_type": "topic", "routing_key": "b.#"},
        },
        ["a", Queue("b", Exchange("x", type="topic"), routing_key="b.#")],
    ],
)
def test_queues_are_configured_as_objects_names_or_a_map(make_app, queues):
    app = make_app(task_queues=queues)
    assert [described(queue) for queue in app.amqp.queues.values()] == [
        ("a", "a", "direct", "a"),
        ("b", "x", "topic", "b.#"),
    ]


def test_anything_else_is_refused_by_name(make_app):
    with pytest.raises(ImproperlyConfigured, match="setting 'task_queues': 5 is neither"):
        _ = make_app(task_queues=["a", 5]).amqp.queues


def test_a_queue_is_made_when_it_is_first_named_and_is_the_same_from_then_on(app):
    made = app.amqp.queues["new"]
    assert described(made) == ("new", "new", "direct", "new")
    assert app.amqp.queues["new"] is made


@pytest.mark.covers(
    "settings.task_create_missing_queue_type", "settings.task_default_queue_type", "settings.task_queue_max_priority"
)
@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ({}, [None, None, None]),
        ({"task_queue_max_priority": 9}, [{"x-max-priority": 9}] * 3),
        ({"task_default_queue_type": "quorum"}, [{"x-queue-type": "quorum"}, None, None]),
        ({"task_create_missing_queue_type": "quorum"}, [None, None, {"x-queue-type": "quorum"}]),
    ],
)
def test_arguments_of_the_default_a_configured_and_a_missing_queue(make_app, settings, arguments):
    default = make_app(**settings).amqp.default_queue
    queues = make_app(task_queues=[Queue("mine", Exchange("mine"), "mine")], **settings).amqp.queues
    assert [default.queue_arguments, queues["mine"].queue_arguments, queues["new"].queue_arguments] == arguments


def test_a_queues_own_maximum_of_priority_stays(make_app):
    queues = make_app(
        task_queue_max_priority=9, task_queues=[Queue("q", queue_arguments={"x-max-priority": 3})]
    ).amqp.queues
    assert queues["q"].queue_arguments == {"x-max-priority": 3}


@pytest.fixture
def queues(make_app):
    return make_app(task_queues=["a", "b", "c"]).amqp.queues


def test_a_worker_listens_to_all_that_are_configured(queues):
    assert list(queues.consume_from) == ["a", "b", "c"]


@pytest.mark.parametrize("names", ["a, c", ["a", "c"]])
def test_a_worker_may_select_and_add_and_drop(queues, names):
    queues.select(names)
    assert list(queues.consume_from) == ["a", "c"]
    queues.select_add("d")
    assert list(queues.consume_from) == ["a", "c", "d"]
    queues.deselect("a")
    assert list(queues.consume_from) == ["c", "d"]
    assert set(queues) == {"a", "b", "c", "d"}


def test_a_worker_may_drop_some_of_all(queues):
    queues.deselect(["b"])
    assert list(queues.consume_from) == ["a", "c"]
    queues.select("")
    assert list(queues.consume_from) == ["a", "c"]


def test_selecting_what_may_not_be_made_names_what_there_is(make_app):
    queues = make_app(task_queues=["a"], task_create_missing_queues=False).amqp.queues
    with pytest.raises(QueueNotFound, match=r"queue 'z' .*known: a"):
        queues.select("a,z")


def test_queues_may_be_added_by_name_with_options(queues):
    added = queues.add("t", exchange="x", exchange_type="topic", routing_key="t.#")
    assert described(added) == ("t", "x", "topic", "t.#")
    assert queues["t"] is added


def test_routes_and_queues_are_read_anew_when_asked(app):
    assert "new" not in app.amqp.queues
    app.conf.task_queues = ["new"]
    app.conf.task_routes = {"t": "new"}
    app.amqp.flush_routes()
    assert list(app.amqp.queues) == ["new"]
    assert len(app.amqp.routes) == 1
