"""The way out for events, on a real broker in memory."""

from __future__ import annotations

import os
import threading

import pytest
from kombu.exceptions import OperationalError
from kombu.transport import virtual

from celeriac.app.events import Events
from celeriac.events import EventDispatcher
from celeriac.events.dispatcher import _KEPT
from celeriac.exceptions import PluginNotFound, SerializationError


@pytest.fixture
def connection(app):
    with app.connection_for_write() as connection:
        yield connection


@pytest.fixture
def dispatcher(app, connection):
    """A dispatcher that gathers what is told of tasks."""
    with app.events.Dispatcher(connection, hostname="w@host", buffer_group={"task"}, buffer_limit=3) as dispatcher:
        yield dispatcher


class Away:
    """Takes the place of a dispatcher's way to the broker, and fails as long as it is told to."""

    def __init__(self, dispatcher, monkeypatch, error=OperationalError):
        self.tries, self.is_away = 0, True
        self._say = dispatcher._say
        self._error = error
        monkeypatch.setattr(dispatcher, "_say", self)

    def __call__(self, *args):
        self.tries += 1
        if self.is_away:
            raise self._error("the broker is away")
        self._say(*args)


def names(heard):
    return [event["type"] for _, events in heard for event in events]


def test_an_app_has_its_own_classes_of_events(app):
    assert isinstance(app.events, Events)
    assert issubclass(app.events.Dispatcher, EventDispatcher)
    assert app.events.Dispatcher.app is app


def test_an_event_says_who_where_and_when(app, connection, listen, wait_until):
    with listen(app) as heard, app.events.Dispatcher(connection, hostname="w@host") as dispatcher:
        dispatcher.send("custom-thing", size=3)
        dispatcher.send("custom-thing", blind=True)
        wait_until(lambda: len(heard) == 2)
    (routing_key, [event]), (_, [blind]) = heard
    assert routing_key == "custom.thing"
    assert (event["type"], event["hostname"], event["pid"], event["size"]) == ("custom-thing", "w@host", os.getpid(), 3)
    assert isinstance(event["utcoffset"], int)
    assert isinstance(event["timestamp"], float)
    assert event["clock"] >= 1
    assert blind["type"] == "custom-thing"


def test_the_clock_goes_on_with_each_event_unless_it_is_blind(app, dispatcher, monkeypatch):
    said = []
    monkeypatch.setattr(dispatcher, "_say", lambda producer, routing_key, body, options: said.append(body["clock"]))
    before = app.clock.value
    dispatcher.send("a-b")
    dispatcher.send("a-b", blind=True)
    dispatcher.send("a-b")
    assert said == [before + 1, None, before + 2]


def test_events_of_a_group_go_together_in_the_order_in_which_they_were_sent(app, dispatcher, listen, wait_until):
    with listen(app) as heard:
        for number in range(4):
            dispatcher.send("task-sent", uuid=number)
        assert dispatcher.waiting == 1
        # An event of another group does not overtake them.
        dispatcher.send("worker-heartbeat")
        wait_until(lambda: len(heard) == 3)
    assert [key for key, _ in heard] == ["task.multi", "task.multi", "worker.heartbeat"]
    assert [event.get("uuid") for _, events in heard for event in events] == [0, 1, 2, 3, None]


def test_whoever_gathers_is_told_that_something_waits(app, connection, listen, wait_until):
    told = []
    with (
        listen(app) as heard,
        app.events.Dispatcher(
            connection, buffer_group={"task"}, buffer_limit=2, on_send_buffered=lambda: told.append(1)
        ) as dispatcher,
    ):
        for number in range(5):
            dispatcher.send("task-sent", uuid=number)
        assert (len(told), dispatcher.waiting, heard) == (5, 5, [])
        assert dispatcher.flush()
        wait_until(lambda: len(heard) == 3)
    assert [len(events) for _, events in heard] == [2, 2, 1]


def test_only_the_groups_that_are_wanted_are_sent(app, connection, listen, wait_until):
    with listen(app) as heard, app.events.Dispatcher(connection, groups=["worker"]) as dispatcher:
        dispatcher.send("task-sent")
        dispatcher.send("worker-online")
        assert dispatcher.enable("task")
        assert not dispatcher.enable("task")
        dispatcher.send("task-received")
        assert dispatcher.disable("task")
        assert not dispatcher.disable("task")
        dispatcher.send("task-started")
        dispatcher.send("worker-offline")
        wait_until(lambda: len(heard) == 3)
    assert names(heard) == ["worker-online", "task-received", "worker-offline"]


def test_a_group_can_be_left_out_where_all_are_sent(dispatcher):
    assert dispatcher.wants("task")
    dispatcher.disable("task")
    assert not dispatcher.wants("task")
    assert dispatcher.wants("worker")
    dispatcher.enable("task")
    assert dispatcher.wants("task")


def test_a_dispatcher_can_be_switched_off_and_on(app, connection, listen, wait_until):
    switched = []
    with listen(app) as heard, app.events.Dispatcher(connection, enabled=False) as dispatcher:
        dispatcher.on_enabled.add(lambda: switched.append("on"))
        dispatcher.on_disabled.add(lambda: switched.append("off"))
        dispatcher.send("a-lost")
        assert dispatcher.enable()
        assert not dispatcher.enable()
        dispatcher.send("a-told")
        assert dispatcher.disable()
        dispatcher.send("a-lost")
        dispatcher.enable()
        dispatcher.send("a-told")
        wait_until(lambda: len(heard) == 2)
    assert names(heard) == ["a-told", "a-told"]
    assert switched == ["on", "off", "on"]


def test_what_cannot_be_sent_is_kept_and_goes_first_in_its_order(
    app, dispatcher, listen, wait_until, monkeypatch, caplog
):
    broker = Away(dispatcher, monkeypatch)
    with listen(app) as heard:
        for number in range(5):
            dispatcher.send("task-sent", uuid=number)
        dispatcher.send("worker-heartbeat")
        # It was tried once; then the broker is left alone for a while.
        assert broker.tries == 1
        assert 0 < dispatcher.retry_in <= 1
        assert not dispatcher.flush()
        # When it is there again, and the while is over
        broker.is_away = False
        wait_until(lambda: not dispatcher.retry_in)
        dispatcher.send("worker-heartbeat")
        wait_until(lambda: len(heard) == 4)
    assert [event.get("uuid") for _, events in heard for event in events] == [0, 1, 2, 3, 4, None, None]
    assert dispatcher.waiting == 0
    assert [record.message.partition(" (")[0] for record in caplog.records] == [
        "Events cannot be sent",
        "Events are sent again",
    ]


def test_each_try_that_fails_makes_the_next_one_wait_longer(dispatcher, monkeypatch):
    Away(dispatcher, monkeypatch)
    pauses = []
    for _ in range(7):
        dispatcher.send("worker-heartbeat")
        pauses.append(round(dispatcher.retry_in))
        dispatcher._monotonic_retry = 0.1  # the pause is over
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_of_what_is_kept_the_oldest_goes(dispatcher, monkeypatch):
    Away(dispatcher, monkeypatch)
    for number in range(_KEPT + 5):
        dispatcher.send("task-sent", uuid=number)
    assert dispatcher.waiting == _KEPT
    assert dispatcher._waiting[0][1]["uuid"] == 5


def test_where_nothing_is_to_be_kept_the_error_is_the_callers(app, connection, monkeypatch):
    with app.events.Dispatcher(connection, buffer_while_offline=False) as dispatcher:
        Away(dispatcher, monkeypatch)
        with pytest.raises(OperationalError, match="away"):
            dispatcher.send("custom-thing")
        assert dispatcher.waiting == 0


def test_an_event_that_no_message_can_carry_holds_up_no_other(app, dispatcher, listen, wait_until, caplog):
    with listen(app) as heard:
        dispatcher.send("task-sent", uuid=1)
        dispatcher.send("task-sent", uuid=object())
        with pytest.raises(SerializationError):
            dispatcher.send("task-sent", uuid=2)
        assert dispatcher.flush()
        wait_until(lambda: heard)
    assert [event["uuid"] for event in heard[0][1]] == [1, 2]
    assert "Event task-sent cannot be sent" in caplog.text


def test_what_another_could_not_send_is_taken_over_and_goes_first(app, connection, dispatcher, listen, wait_until):
    other = app.events.Dispatcher(connection, buffer_group={"task"})
    other.send("task-sent", uuid=1)
    other.send("task-sent", uuid=2)
    with listen(app) as heard:
        dispatcher.send("task-sent", uuid=3)
        dispatcher.extend_buffer(other)
        dispatcher.flush()
        wait_until(lambda: heard)
    assert [event["uuid"] for event in heard[0][1]] == [1, 2, 3]
    assert other.waiting == 0


def test_closing_sends_what_waits(app, connection, listen, wait_until):
    with listen(app) as heard:
        with app.events.Dispatcher(connection, buffer_group={"task"}) as dispatcher:
            dispatcher.send("task-sent", uuid=1)
        wait_until(lambda: heard)
        dispatcher.close()
    assert names(heard) == ["task-sent"]


def test_threads_may_share_a_dispatcher(app, connection, listen, wait_until):
    # Given a dispatcher that four threads use
    with listen(app) as heard, app.events.Dispatcher(connection, buffer_group={"task"}) as dispatcher:

        def send(name):
            for number in range(250):
                dispatcher.send("task-sent", uuid=name, number=number)

        threads = [threading.Thread(target=send, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        dispatcher.flush()
        wait_until(lambda: sum(len(events) for _, events in heard) == 1000)
    # Then the events of each come in its order
    for name in "abcd":
        assert [e["number"] for _, events in heard for e in events if e["uuid"] == name] == list(range(250))


@pytest.mark.covers("settings.event_exchange", "settings.event_serializer")
def test_exchange_and_serializer_are_those_of_the_settings(make_app, monkeypatch, listen, wait_until):
    app = make_app(event_exchange="told", event_serializer="json")
    with (
        listen(app) as heard,
        app.connection_for_write() as connection,
        app.events.Dispatcher(connection) as dispatcher,
    ):
        assert dispatcher.exchange.name == "told"
        dispatcher.send("a-b")
        wait_until(lambda: heard)
    with pytest.raises(PluginNotFound), app.connection_for_write() as connection:
        app.events.Dispatcher(connection, serializer="of-nobody")


def test_a_transport_that_cannot_fan_out_is_sent_nothing(make_app):
    class Narrow(virtual.Transport):
        implements = virtual.Transport.implements.extend(exchange_type=frozenset({"direct"}))

    app = make_app(broker="narrow://")
    app.plugins.register_driver("broker", "narrow", Narrow)
    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(connection)
        assert not dispatcher.enabled
        assert not dispatcher.enable()
        dispatcher.send("a-b")
        assert dispatcher.waiting == 0


def test_a_dispatcher_needs_a_way_out(app):
    with pytest.raises(ValueError, match="connection, or a channel"):
        app.events.Dispatcher()


def test_publishing_goes_through_the_callers_own_producer(app, connection, listen, wait_until):
    with listen(app, "custom.#") as heard, app.events.Dispatcher(connection, hostname="w@host") as dispatcher:
        producer = connection.Producer()
        dispatcher.publish("custom-thing", {"size": 1}, producer, retry=True)
        dispatcher.publish("other-thing", {"size": 1}, producer)
        dispatcher.publish("custom-thing", {"size": 2}, producer)
        wait_until(lambda: len(heard) == 2)
    assert [event["size"] for _, events in heard for event in events] == [1, 2]


def test_what_goes_through_the_lanes_of_the_app_needs_no_connection_of_its_own(app, listen, wait_until):
    # Given
    with (
        listen(app) as heard,
        app.connection_for_write() as connection,
        app.events.Dispatcher(connection, buffer_group={"task"}, buffer_limit=2, through_lanes=True) as dispatcher,
    ):
        # When
        dispatcher.send("worker-online")
        for number in range(3):
            dispatcher.send("task-sent", uuid=number)
        dispatcher.flush()
        # Then
        wait_until(lambda: len(heard) == 3)
        assert not connection.connected
    assert [key for key, _ in heard] == ["worker.online", "task.multi", "task.multi"]


def test_what_is_to_be_tried_again_goes_as_kombu_does_that(app, listen, wait_until):
    with (
        listen(app) as heard,
        app.connection_for_write() as connection,
        app.events.Dispatcher(connection, through_lanes=True) as dispatcher,
    ):
        dispatcher.send("custom-thing", retry=True, retry_policy={"max_retries": 1})
        wait_until(lambda: len(heard) == 1)
        assert connection.connected
