"""The way in for events."""

from __future__ import annotations

import json
import time

import pytest
from kombu import Producer

from celeriac.events import EventReceiver


@pytest.fixture
def receiver(app):
    with app.connection_for_read() as connection:
        yield app.events.Receiver(connection, node_id="me")


@pytest.fixture
def shout(app, receiver):
    """Return ``shout(body, **properties)``: publishes anything at all where events go."""

    def publish(body, **properties):
        with app.connection_for_write() as connection:
            data = body if isinstance(body, (str, bytes)) else json.dumps(body)
            given = {"content_type": "application/json", "content_encoding": "utf-8", **properties}
            producer = Producer(connection.channel())
            producer.publish(data, exchange=receiver.exchange, routing_key="any.thing", **given)

    return publish


@pytest.fixture
def captured(app, receiver, shout):
    """Return ``captured(*messages)``: what a receiver makes of them."""

    def capture(*messages):
        found = []
        receiver.handlers = {"*": found.append}

        def ready(*args, **kwargs):
            for message in messages:
                if isinstance(message, tuple):
                    shout(message[0], **message[1])
                else:
                    shout(message)

        receiver.on_consume_ready = ready
        receiver.capture(limit=len(messages), timeout=5)
        return found

    return capture


@pytest.mark.covers(
    "settings.event_queue_prefix",
    "settings.event_queue_ttl",
    "settings.event_queue_expires",
    "settings.event_queue_exclusive",
    "settings.event_queue_durable",
)
def test_the_queue_of_a_receiver_is_as_the_settings_say_unless_the_receiver_says_otherwise(make_app):
    app = make_app(event_queue_ttl=7, event_queue_expires=70, event_queue_prefix="mine")
    with app.connection_for_read() as connection:
        queue = app.events.Receiver(connection, node_id="me", routing_key="worker.#").queue
        assert (queue.name, queue.routing_key, queue.auto_delete) == ("mine.me", "worker.#", True)
        assert (queue.message_ttl, queue.expires, queue.exclusive, queue.durable) == (7, 70, True, False)
        other = EventReceiver(
            connection,
            app=app,
            queue_ttl=1,
            queue_expires=2,
            queue_exclusive=False,
            queue_durable=True,
            queue_prefix="theirs",
        ).queue
        assert other.name.startswith("theirs.")
        assert (other.message_ttl, other.expires, other.exclusive, other.durable) == (1, 2, False, True)


def test_handlers_are_called_by_type_and_one_for_all_others(receiver):
    got = []
    receiver.handlers = {"a-b": lambda event: got.append("ab"), "*": lambda event: got.append(event["type"])}
    receiver.process("a-b", {"type": "a-b"})
    receiver.process("c-d", {"type": "c-d"})
    receiver.handlers = {}
    receiver.process("c-d", {"type": "c-d"})
    assert got == ["ab", "c-d"]


def test_a_message_holds_one_event_or_many(captured):
    found = captured({"type": "a-1", "clock": 3}, [{"type": "a-2", "clock": 4}, {"type": "a-3", "clock": 5}])
    assert [event["type"] for event in found] == ["a-1", "a-2", "a-3"]
    assert all(abs(event["local_received"] - time.time()) < 60 for event in found)


def test_what_is_no_event_is_told_of_and_passed_over(captured, caplog):
    found = captured(
        "{broken",
        "[" * 100_000,
        "7",
        [7, {"no": "type"}, {"type": 7}, {"type": "a-good"}],
        ("cos\nsystem\n", {"content_type": "application/x-python-serialize"}),
        ({"type": "a-last"}, {}),
    )
    assert [event["type"] for event in found] == ["a-good", "a-last"]
    assert len(caplog.records) == 7
    assert "'application/x-python-serialize' is refused" in caplog.text


def test_a_logical_clock_is_ahead_of_all_that_was_received(app, receiver):
    assert receiver.event_from_message({"type": "a-b", "clock": 40})[1]["clock"] == 40
    assert app.clock.value == 41


@pytest.mark.parametrize("clock", [None, "7", 2**80, -5, True])
def test_no_clock_that_is_none_moves_ours(app, receiver, clock):
    before = app.clock.value
    _, event = receiver.event_from_message({"type": "a-b", "clock": clock})
    assert app.clock.value == before + 1
    assert type(event["clock"]) is int


def test_the_clock_of_a_client_is_not_believed(app, receiver):
    app.clock.adjust(100)
    _, event = receiver.event_from_message({"type": "task-sent", "clock": 5_000})
    assert event["clock"] == 100
    assert app.clock.value == 102


def test_timestamps_are_the_same_in_every_zone(receiver):
    _, event = receiver.event_from_message({"type": "a-b", "clock": 1, "timestamp": 1000.0, "utcoffset": -9})
    assert event["timestamp"] == 1000.0


def test_waiting_for_events_has_an_end(receiver):
    receiver.on_consume_ready = lambda *args, **kwargs: None
    with pytest.raises(TimeoutError):
        receiver.capture(limit=1, timeout=1)


def test_the_turn_comes_back_after_each_message(receiver, shout):
    receiver.on_consume_ready = lambda *args, **kwargs: [shout({"type": "a-b", "clock": 1}) for _ in range(2)]
    assert len(list(receiver.itercapture(limit=2, timeout=5))) == 2


def test_workers_are_asked_for_a_heartbeat_at_the_start(receiver, monkeypatch):
    asked = []

    class Control:
        def broadcast(self, command, **options):
            asked.append((command, sorted(options)))

    monkeypatch.setitem(receiver.app.__dict__, "control", Control())
    receiver.on_consume_ready(receiver.connection, receiver.channel, [])
    receiver.on_consume_ready(receiver.connection, receiver.channel, [], wakeup=False)
    assert asked == [("heartbeat", ["channel", "connection"])]
