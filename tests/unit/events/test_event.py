"""One event, and the exchange that carries it."""

from __future__ import annotations

import time

import pytest
from kombu import Connection
from kombu.transport import virtual

from celeriac.events import Event, event_exchange, get_exchange, group_from
from celeriac.events.event import can_fan_out, routing_key_of, utcoffset


def test_an_event_is_a_map_of_its_fields_with_type_and_time():
    before = time.time()
    event = Event("task-sent", uuid="a")
    assert event["type"] == "task-sent"
    assert event["uuid"] == "a"
    assert before <= event["timestamp"] <= time.time()


def test_an_event_keeps_the_time_that_it_is_given():
    assert Event("x-y", {"timestamp": 7.0}, b=1) == {"type": "x-y", "timestamp": 7.0, "b": 1}


def test_group_and_routing_key_follow_from_the_type():
    assert group_from("worker-elect-ack") == "worker"
    assert routing_key_of("worker-elect-ack") == "worker.elect.ack"
    assert group_from("alone") == "alone"


@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("Etc/GMT-2", -2), ("Asia/Kolkata", -6), ("Etc/GMT+7", 7)])
def test_the_offset_is_in_whole_hours_west(monkeypatch, zone, hours):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert utcoffset() == hours
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("url", "kind"), [("redis://", "fanout"), ("memory://", "topic"), ("amqp://", "topic"), ("filesystem://", "topic")]
)
def test_the_exchange_is_a_topic_and_on_redis_a_fanout(url, kind):
    with Connection(url) as connection:
        exchange = get_exchange(connection, name="other")
    assert (exchange.name, exchange.type, exchange.durable) == ("other", kind, True)
    assert (event_exchange.name, event_exchange.type) == ("celeryev", "topic")


class Narrow(virtual.Transport):
    """As those of etcd and Consul are."""

    implements = virtual.Transport.implements.extend(exchange_type=frozenset({"direct", "topic"}))


class Sql(virtual.Transport):
    driver_type = "sql"


@pytest.mark.parametrize(
    ("transport", "can"), [("amqp", True), ("redis", True), ("memory", True), (Narrow, False), (Sql, False)]
)
def test_a_transport_that_reaches_one_receiver_only_carries_no_events(transport, can):
    with Connection(transport=transport) as connection:
        assert can_fan_out(connection) is can
