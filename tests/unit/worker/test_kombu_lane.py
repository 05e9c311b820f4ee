"""The lane over Kombu's plain API: what it hands out, what it gives back, and what it forgets with a connection."""

from __future__ import annotations

import json
import uuid

import pytest
from kombu import Connection, Exchange, Producer, Queue
from kombu.transport import memory, pyamqp

from celeriac.app.lanes import KombuProducerLane, publish_plainly
from celeriac.contracts import OutgoingMessage, Settlements
from celeriac.contracts.stale_claims import Settled, StaleClaims
from celeriac.worker.kombu_lane import KombuConsumerLane


@pytest.fixture
def queue():
    return Queue(f"celeriac-test-{uuid.uuid4()}")


@pytest.fixture(params=["memory", "rabbitmq"])
def connect(request, service):
    """Return ``connect()``, which gives a new Kombu connection to one broker."""
    connections = []

    def new():
        if request.param == "memory":
            connection = Connection("memory://", transport=memory.Transport)
        else:
            connection = Connection(service("rabbitmq"), transport=pyamqp.Transport)
        connections.append(connection)
        return connection

    yield new
    for connection in connections:
        connection.release()


@pytest.fixture
def lane(connect, hub, queue):
    lane = KombuConsumerLane(connect())
    lane.ready = []
    lane.prefetch(10)
    lane.open([queue], hub, lambda: lane.ready.append(1))
    yield lane
    lane.close()
    with connect() as connection:
        queue(connection.default_channel).delete()


@pytest.fixture
def publish(connect, queue):
    """Return ``publish(*numbers)``, which sends a message for each."""
    producer = KombuProducerLane(connect())
    yield lambda *numbers, **fields: producer.publish([outgoing(queue, number, **fields) for number in numbers])
    producer.close()


def outgoing(queue, number, properties=None, headers=None):
    return OutgoingMessage(
        json.dumps(number).encode(),
        "application/json",
        "utf-8",
        {"id": f"id-{number}", "task": "proj.work", "retries": 0, **(headers or {})},
        {"delivery_mode": 2, "correlation_id": f"id-{number}", **(properties or {})},
        "",
        queue.name,
        queue,
    )


@pytest.fixture
def claim(lane, turn_until):
    """Return ``claim(count)``: turns the loop until so many messages have been claimed."""

    def call(count):
        claimed = []

        def all_there():
            claimed.extend(lane.claim(count - len(claimed)))
            return len(claimed) == count

        turn_until(all_there)
        return claimed

    return call


def depth(connect, queue):
    with connect() as connection:
        return queue(connection.default_channel).queue_declare()[1]


def test_a_message_arrives_as_it_was_sent(lane, queue, publish, claim):
    publish(7, properties={"priority": 3, "expiration": "600000", "reply_to": "answers"}, headers={"tenant": "ü"})
    [delivery] = claim(1)
    assert (delivery.body, delivery.content_type, delivery.content_encoding) == (b"7", "application/json", "utf-8")
    assert (delivery.queue, delivery.routing_key, delivery.redelivered) == (queue.name, queue.name, False)
    assert delivery.headers["tenant"] == "ü"
    properties = {name: delivery.properties[name] for name in ("priority", "expiration", "reply_to", "correlation_id")}
    assert properties == {"priority": 3, "expiration": "600000", "reply_to": "answers", "correlation_id": "id-7"}
    assert lane.ready


def test_a_message_of_a_topic_names_the_queue_that_it_came_through(connect, hub, turn_until):
    name = f"celeriac-test-{uuid.uuid4()}"
    queue = Queue(name, exchange=Exchange(f"{name}-exchange", type="topic"), routing_key="a.*")
    lane = KombuConsumerLane(connect())
    lane.open([queue], hub, lambda: None)
    with connect() as connection:
        Producer(connection.default_channel).publish(1, exchange=f"{name}-exchange", routing_key="a.b")
    claimed = []
    turn_until(lambda: claimed.extend(lane.claim(1)) or claimed)
    assert (claimed[0].queue, claimed[0].routing_key, claimed[0].exchange) == (name, "a.b", f"{name}-exchange")
    lane.settle(Settlements(ack=[claimed[0].tag]))
    lane.close()
    with connect() as connection:
        queue(connection.default_channel).delete()
        queue.exchange(connection.default_channel).delete()


@pytest.mark.parametrize("how", ["ack", "reject"])
def test_what_is_settled_is_gone(lane, connect, queue, publish, claim, how):
    publish(1, 2)
    lane.settle(Settlements(**{how: [delivery.tag for delivery in claim(2)]}))
    lane.close()
    assert depth(connect, queue) == 0


@pytest.mark.parametrize("how", ["requeue", "redeliver"])
def test_what_is_given_back_comes_again(lane, connect, queue, publish, claim, how):
    publish(1)
    [delivery] = claim(1)
    lane.settle(Settlements(**{how: [delivery.tag]}))
    [again] = claim(1)
    assert (again.body, again.headers["id"]) == (b"1", "id-1")
    assert again.tag != delivery.tag


def test_what_was_begun_and_is_given_back_is_published_again_as_it_was(lane, connect, queue, publish, claim):
    publish(1, properties={"priority": 3, "expiration": "600000", "reply_to": "answers"})
    [delivery] = claim(1)
    lane.settle(Settlements(begin=[delivery.tag]))
    lane.settle(Settlements(begin=[delivery.tag]))
    assert depth(connect, queue) == 0
    lane.settle(Settlements(requeue=[delivery.tag]))
    [again] = claim(1)
    volatile = {"delivery_tag", "delivery_info", "body_encoding"}
    assert again.body == delivery.body
    assert again.headers == delivery.headers
    assert {k: v for k, v in again.properties.items() if k not in volatile} == {
        k: v for k, v in delivery.properties.items() if k not in volatile
    }


def test_what_was_begun_and_has_ended_is_only_forgotten(lane, connect, queue, publish, claim):
    publish(1)
    [delivery] = claim(1)
    lane.settle(Settlements(begin=[delivery.tag]))
    lane.settle(Settlements(ack=[delivery.tag]))
    lane.settle(Settlements(ack=[delivery.tag], requeue=["unknown"], reject=["unknown"], begin=["unknown"]))
    lane.close()
    assert depth(connect, queue) == 0


def test_closing_gives_back_what_was_claimed_and_what_was_not_and_keeps_what_was_begun(
    lane, connect, queue, publish, claim, turn_until
):
    publish(*range(6))
    first, *_ = claim(3)
    turn_until(lambda: len(lane._buffer) == 3)
    lane.settle(Settlements(begin=[first.tag]))
    lane.close()
    lane.close()
    assert depth(connect, queue) == 5


def test_what_has_come_unasked_goes_back_at_once_when_nothing_more_is_claimed(
    lane, connect, queue, publish, claim, turn_until
):
    publish(*range(6))
    claimed = claim(2)
    turn_until(lambda: len(lane._buffer) == 4)
    lane.stop_receiving()
    assert depth(connect, queue) == 4
    lane.settle(Settlements(ack=[delivery.tag for delivery in claimed]))
    lane.close()
    assert depth(connect, queue) == 4


def test_no_more_than_the_prefetch_comes_unasked(lane, connect, queue, publish, turn_until, hub):
    publish(*range(30))
    turn_until(lambda: len(lane._buffer) == 10)
    over = []
    hub.call_later(0.2, over.append, True)
    turn_until(lambda: over)
    assert len(lane._buffer) == 10
    lane.prefetch(20)
    turn_until(lambda: len(lane._buffer) == 20)


# -- hostile messages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("headers", None),
        ("content-type", ["a"]),
        ("content-type", None),
        ("body", None),
    ],
)
def test_a_message_of_wrong_types_is_handed_out_as_one_that_can_be_refused(hub, turn_until, field, value):
    connection, queue = Connection("memory://", transport=memory.Transport), Queue(f"celeriac-test-{uuid.uuid4()}")
    lane = KombuConsumerLane(connection)
    lane.open([queue], hub, lambda: None)
    info = {"exchange": "", "routing_key": queue.name}
    raw = {"body": "", "content-type": "application/json", "content-encoding": "utf-8", "headers": {}}
    raw["properties"] = {"delivery_tag": "x", "delivery_info": info, "body_encoding": None}
    raw[field] = value
    connection.default_channel._put(queue.name, raw)
    claimed = []
    turn_until(lambda: claimed.extend(lane.claim(1)) or claimed)
    assert isinstance(claimed[0].headers, dict)
    assert isinstance(claimed[0].content_type, str)
    assert isinstance(claimed[0].body, bytes)
    lane.settle(Settlements(reject=[claimed[0].tag]))
    lane.close()


@pytest.mark.parametrize("headers", [["task", "id"], "task", 7])
def test_a_message_of_which_kombu_can_make_none_keeps_no_other_from_coming(hub, turn_until, caplog, headers):
    connection, queue = Connection("memory://", transport=memory.Transport), Queue(f"celeriac-test-{uuid.uuid4()}")
    lane = KombuConsumerLane(connection)
    lane.open([queue], hub, lambda: None)
    properties = {"delivery_tag": "x", "delivery_info": {"exchange": "", "routing_key": queue.name}}
    raw = {"body": "", "headers": headers, "properties": properties}
    connection.default_channel._put(queue.name, raw)
    publish_plainly(connection.default_channel, outgoing(queue, 1))
    claimed = []
    turn_until(lambda: claimed.extend(lane.claim(1)) or claimed)
    assert claimed[0].body == b"1"
    assert "Error while messages were delivered" in caplog.text
    lane.settle(Settlements(ack=[claimed[0].tag]))
    lane.close()


def test_a_body_that_does_not_expand_is_handed_out_as_it_is(hub, turn_until):
    connection, queue = Connection("memory://", transport=memory.Transport), Queue(f"celeriac-test-{uuid.uuid4()}")
    lane = KombuConsumerLane(connection)
    lane.open([queue], hub, lambda: None)
    publish_plainly(connection.default_channel, outgoing(queue, 1, headers={"compression": "application/x-gzip"}))
    claimed = []
    turn_until(lambda: claimed.extend(lane.claim(1)) or claimed)
    assert (claimed[0].body, claimed[0].headers["compression"]) == (b"1", "application/x-gzip")
    lane.settle(Settlements(reject=[claimed[0].tag]))
    lane.close()


def test_a_body_that_kombu_has_expanded_is_no_longer_said_to_be_compressed(hub, turn_until):
    connection, queue = Connection("memory://", transport=memory.Transport), Queue(f"celeriac-test-{uuid.uuid4()}")
    lane = KombuConsumerLane(connection)
    lane.open([queue], hub, lambda: None)
    with connection.channel() as channel:
        Producer(channel).publish({"a": 1}, routing_key=queue.name, compression="zlib")
    claimed = []
    turn_until(lambda: claimed.extend(lane.claim(1)) or claimed)
    assert claimed[0].body == b'{"a": 1}'
    assert "compression" not in claimed[0].headers
    lane.settle(Settlements(ack=[claimed[0].tag]))
    lane.close()


# -- claims whose connection was lost ----------------------------------------------------------------------------------


def headers(number, retries=0):
    return {"id": f"id-{number}", "retries": retries}


def test_a_message_that_comes_again_is_known_by_its_id_and_its_count_of_retries():
    stale = StaleClaims()
    assert not stale
    stale.add("tag", headers(1))
    assert stale
    assert stale.claimed_again(headers(1, retries=1), True) is None
    assert stale.claimed_again(headers(2), True) is None
    assert stale.claimed_again(headers(1), True) == ("tag", None)
    assert stale.claimed_again(headers(1), True) is None


def test_what_was_said_meanwhile_is_remembered():
    stale = StaleClaims()
    stale.add("tag", headers(1))
    stale.settle("tag", Settled.ACK)
    stale.settle("unknown", Settled.ACK)
    assert stale.claimed_again(headers(1), True) == ("tag", Settled.ACK)


@pytest.mark.parametrize("odd", [{}, {"id": ["a", "list"]}, {"id": "a", "retries": {}}, {"id": 7}])
def test_headers_without_an_id_are_never_taken_for_others(odd):
    stale = StaleClaims()
    stale.add("tag", odd)
    assert stale.claimed_again(odd, True) is None


def test_those_that_never_come_back_do_not_fill_the_memory():
    stale = StaleClaims()
    for number in range(10_500):
        stale.add(number, headers(number))
        stale.settle(number, Settled.REJECT)
    assert len(stale._tags) == len(stale._keys) == len(stale._settled) == 10_000
    assert stale.claimed_again(headers(0), True) is None
    assert stale.claimed_again(headers(10_499), True) == (10_499, Settled.REJECT)


def test_what_was_acked_on_a_connection_that_was_lost_is_known_when_it_comes_again():
    stale = StaleClaims()
    for number in (1, 2, 3, 4):
        stale.acked(headers(number))
    # What is delivered while the connection stands is another message.
    assert not stale
    stale.lost()
    stale.connected()
    assert stale.claimed_again(headers(1), True) == (None, Settled.ACK)
    assert stale.claimed_again(headers(1), True) is None
    # Sent anew by anybody, or by us: neither is the message that was acked.
    assert stale.claimed_again(headers(2), False) is None
    assert stale.claimed_again(headers(2), True) is None
    stale.published(headers(3))
    assert stale.claimed_again(headers(3), True) is None
    assert stale.claimed_again(headers(4, retries=1), True) is None


def test_what_could_not_be_said_is_known_when_the_message_comes_once_more():
    stale = StaleClaims()
    stale.connected()
    for tag, settled in enumerate((Settled.ACK, Settled.REJECT, Settled.REQUEUE)):
        stale.add(tag, headers(tag))
        stale.settle(tag, settled)
        assert stale.claimed_again(headers(tag), True) == (tag, settled)
        stale.untold(tag, settled, headers(tag))
    assert stale.claimed_again(headers(0), True) == (None, Settled.ACK)
    assert stale.claimed_again(headers(1), True) == (1, Settled.REJECT)
    # It has gone back, as it should.
    assert stale.claimed_again(headers(2), True) is None


def test_what_was_acked_is_not_known_for_ever(monkeypatch):
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stale = StaleClaims()
    for number in range(10_500):
        stale.acked(headers(number))
    assert len(stale._acked) == 2_000
    stale.lost()
    stale.connected()
    now += 61
    assert stale.claimed_again(headers(10_499), True) is None
    assert not stale
    stale.acked(headers(1))
    now += 121
    stale.lost()
    assert not stale
