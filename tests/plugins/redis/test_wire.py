"""What is in the server is what Celery and Kombu write and read, key by key."""

from __future__ import annotations

import base64
import contextlib
import json
import time

import pytest
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.transport.redis import Transport as KombuTransport

from celeriac.contracts import Settlements
from celeriac.exceptions import SerializationError

SEPARATOR = "\x06\x16"


def keys_of(server, prefix):
    return {key.decode().removeprefix(prefix) for key in server.scan_iter(f"{prefix}*", count=1000)}


@pytest.fixture
def kombu(url, prefix):
    """A connection through Kombu's own transport, as Celery uses it."""
    with Connection(url, transport=KombuTransport, transport_options={"global_keyprefix": prefix}) as connection:
        yield connection


def test_a_message_is_the_json_of_the_wire_page(producer, message, server, prefix):
    producer.publish(
        [
            message(
                b'[[1], {}, {"callbacks": null}]',
                headers={"lang": "py", "task": "add", "id": "1", "eta": None},
                properties={"correlation_id": "1", "reply_to": "me", "delivery_mode": 2, "priority": 0},
            )
        ]
    )
    (text,) = server.lrange(f"{prefix}tasks", 0, -1)
    found = json.loads(text)
    tag = found["properties"].pop("delivery_tag")
    assert len(tag) == 36
    assert found == {
        "body": base64.b64encode(b'[[1], {}, {"callbacks": null}]').decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": "add", "id": "1", "eta": None},
        "properties": {
            "correlation_id": "1",
            "reply_to": "me",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "tasks"},
            "priority": 0,
            "body_encoding": "base64",
        },
    }


def test_kombu_writes_the_same(producer, message, server, prefix, kombu):
    sent = message(b'{"a": 1}', headers={"id": "1"}, properties={"correlation_id": "1", "priority": 3})
    producer.publish([sent])
    Producer(kombu).publish({"a": 1}, routing_key="tasks", headers={"id": "1"}, correlation_id="1", priority=3)

    theirs, ours = map(json.loads, server.lrange(f"{prefix}tasks{SEPARATOR}3", 0, -1))

    for each in (theirs, ours):
        del each["properties"]["delivery_tag"]
        each["properties"].pop("delivery_mode", None)  # chosen by whoever sends, not by the transport
    assert ours == theirs


def test_a_priority_chooses_one_of_four_lists(producer, message, server, prefix):
    producer.publish(
        [message(str(level), properties={"priority": level}) for level in (0, 1, 2, 3, 5, 6, 8, 9, 40, -1)]
    )
    steps = {"": ["0", "1", "2", "-1"], "3": ["3", "5"], "6": ["6", "8"], "9": ["9", "40"]}
    sent = [0, 1, 2, 3, 5, 6, 8, 9, 40, -1]
    for step, levels in steps.items():
        found = server.lrange(f"{prefix}tasks{SEPARATOR + step if step else ''}", 0, -1)
        # The newest is first.
        assert [str(json.loads(text)["properties"]["priority"]) for text in reversed(found)] == levels
    assert sum(map(len, steps.values())) == len(sent)


def test_bindings_are_those_that_kombu_makes(producer, message, server, prefix, kombu):
    queues = [
        Queue("direct", Exchange("one", "direct"), routing_key="key"),
        Queue("topic", Exchange("two", "topic"), routing_key="news.*.#"),
        Queue("expiring", Exchange("three", "direct"), routing_key="key", expires=7200),
    ]
    producer.publish([message(exchange=queue.exchange.name, routing_key="key", queue=queue) for queue in queues])
    ours = {
        key: server.smembers(key) for key in server.scan_iter(f"{prefix}_kombu.binding*") if b"deadlines" not in key
    }
    deadline = server.zscore(f"{prefix}_kombu.binding_deadlines", "three")
    assert server.smembers(f"{prefix}_kombu.binding.one") == {f"key{SEPARATOR}{SEPARATOR}direct".encode()}
    for key in ours:
        server.delete(key)

    for queue in queues:
        queue(kombu.default_channel).declare()

    assert ours == {key: server.smembers(key) for key in server.scan_iter(f"{prefix}_kombu.binding*") if key in ours}
    assert abs(server.zscore(f"{prefix}_kombu.binding_deadlines", "three") - deadline) < 60_000


def test_a_claim_is_noted_as_celery_notes_it(producer, consume, message, server, prefix):
    lane = consume()
    producer.publish([message(b"1", properties={"priority": 6})])
    (text,) = server.lrange(f"{prefix}tasks{SEPARATOR}6", 0, -1)

    (found,) = lane.claim(1)

    assert not server.exists(f"{prefix}tasks{SEPARATOR}6")
    ((tag, note),) = server.hgetall(f"{prefix}unacked").items()
    assert json.loads(note) == [json.loads(text), "", "tasks"]
    ((noted, since),) = server.zrange(f"{prefix}unacked_index", 0, -1, withscores=True)
    assert noted == tag
    assert abs(since - time.time()) < 60
    lane.settle(Settlements(ack=[found.tag]))
    assert not server.exists(f"{prefix}unacked", f"{prefix}unacked_index")


def test_celery_restores_what_we_abandon(producer, consume, message, server, prefix, kombu):
    lane = consume()
    producer.publish([message(b'{"n": 1}', properties={"priority": 3})])
    lane.claim(1)
    (tag,) = server.hkeys(f"{prefix}unacked")
    server.zadd(f"{prefix}unacked_index", {tag: time.time() - 4000})

    kombu.default_channel.qos.restore_visible()

    (text,) = server.lrange(f"{prefix}tasks{SEPARATOR}3", 0, -1)
    assert json.loads(text)["headers"]["redelivered"] is True
    received = Queue("tasks").bind(kombu.default_channel).get()
    assert received.payload == {"n": 1}
    received.ack()
    assert not server.exists(f"{prefix}unacked", f"{prefix}unacked_index")


def test_we_restore_what_celery_abandons(consume, message, server, prefix, kombu):
    Producer(kombu).publish({"n": 1}, routing_key="tasks", headers={"id": "9"}, priority=3)
    Queue("tasks").bind(kombu.default_channel).get()
    ((tag, _),) = server.hgetall(f"{prefix}unacked").items()
    lane = consume()
    assert lane.lost() == []
    assert lane.claim(1) == []
    server.zadd(f"{prefix}unacked_index", {tag: time.time() - 4000})

    assert lane.lost() == []

    (found,) = lane.claim(1)
    assert (found.body, found.redelivered, found.delivery_count) == (b'{"n": 1}', True, 2)
    assert found.headers == {"id": "9", "redelivered": True}
    lane.settle(Settlements(ack=[found.tag]))
    assert keys_of(server, prefix) == {"celeriac.owners"}


def test_while_another_restores_we_do_not(consume, server, prefix, kombu):
    Producer(kombu).publish({}, routing_key="tasks")
    Queue("tasks").bind(kombu.default_channel).get()
    (tag,) = server.hkeys(f"{prefix}unacked")
    server.zadd(f"{prefix}unacked_index", {tag: time.time() - 4000})
    lane = consume()
    server.set(f"{prefix}unacked_mutex", "somebody")
    lane.lost()
    assert lane.claim(1) == []
    server.delete(f"{prefix}unacked_mutex")
    lane.lost()
    assert len(lane.claim(1)) == 1
    assert not server.exists(f"{prefix}unacked_mutex")


def test_kombu_takes_what_we_give_back(producer, consume, message, kombu):
    lane = consume()
    producer.publish([message(b'{"n": 1}'), message(b'{"n": 2}')])
    first, second = lane.claim(2)
    lane.settle(Settlements(requeue=[first.tag], redeliver=[second.tag]))
    queue = Queue("tasks").bind(kombu.default_channel)
    received = [queue.get(), queue.get()]
    assert [each.payload["n"] for each in received] == [1, 2]
    assert [each.delivery_info.get("redelivered", False) for each in received] == [False, True]


def test_a_message_that_is_held_back_is_celerys_when_it_is_due(producer, consume, message, server, prefix, kombu):
    # Given a message that a Celeriac worker holds back
    lane = consume()
    due = time.time() + 1000
    producer.publish([message(b'{"n": 1}', headers={"id": "1", "eta": "2100-01-01T00:00:00+00:00"}), message(eta=due)])
    assert lane.claim(5) == []
    assert not server.exists(f"{prefix}tasks")
    lane.close()
    # When no Celeriac worker is left and its time comes, which here is when Celery takes it for abandoned
    scores = server.zrange(f"{prefix}unacked_index", 0, -1, withscores=True)
    assert scores[0][1] == pytest.approx(due - 3600)
    server.zadd(f"{prefix}unacked_index", {tag: 1 for tag, _ in scores})
    kombu.default_channel.qos.restore_visible()
    # Then a Celery worker has it
    queue = Queue("tasks").bind(kombu.default_channel)
    assert len([queue.get(), queue.get()]) == 2


def test_the_own_due_moment_does_not_reach_the_worker(producer, consume, message, loop):
    lane = consume()
    producer.publish([message(eta=time.time() + 0.1)])
    (found,) = loop.turn_until(lambda: lane.claim(1))
    assert "celeriac_eta" not in found.properties


@pytest.mark.parametrize(
    "text",
    [b"", b"junk", b"[1, 2]", b"\xff\xfe", b'{"body": 7}', b'{"headers": 3, "properties": []}', b"[" * 5000, b'1],["2'],
)
def test_what_cannot_be_read_is_handed_out_empty_beside_what_can(producer, consume, message, server, prefix, text):
    lane = consume()
    producer.publish([message(b"1")])
    server.lpush(f"{prefix}tasks", text)
    producer.publish([message(b"2")])

    found = lane.claim(5)

    assert [each.body for each in found] == [b"1", b"", b"2"]
    assert found[1].headers == {}
    lane.settle(Settlements(requeue=[found[1].tag], ack=[found[0].tag, found[2].tag]))
    assert server.lrange(f"{prefix}tasks", 0, -1) == [text]


def test_values_that_plain_json_does_not_know_arrive_as_themselves(producer, consume, message):
    lane = consume()
    producer.publish([message(headers={"id": "1", "stamps": {"raw": b"\xff"}})])
    (found,) = lane.claim(1)
    assert found.headers["stamps"] == {"raw": b"\xff"}
    with pytest.raises(SerializationError, match="object"):
        producer.publish([message("good"), message("bad", headers={"id": object()})])
    assert lane.claim(1) == []


def test_a_broadcast_crosses_from_kombu_and_to_it(producer, consume, message, kombu, loop):
    exchange = Exchange("news", "fanout", durable=False)
    lane = consume(Queue("ours", exchange), "tasks")
    received = []
    theirs = Queue("theirs", exchange)
    with Consumer(kombu, [theirs], callbacks=[lambda body, _: received.append(body)], no_ack=True):
        # Subscribing takes a turn of Kombu's.
        with contextlib.suppress(TimeoutError):
            kombu.drain_events(timeout=0.1)
        producer.publish([message(b'{"n": 1}', exchange="news", routing_key="", queue=theirs)])
        kombu.drain_events(timeout=5)
        assert received == [{"n": 1}]
        (found,) = loop.turn_until(lambda: lane.claim(1))
        assert (found.body, found.queue, found.exchange) == (b'{"n": 1}', "ours", "news")
        lane.settle(Settlements(redeliver=[found.tag]))
        (again,) = lane.claim(1)
        lane.settle(Settlements(ack=[again.tag]))
        Producer(kombu, exchange).publish({"n": 2})
        (found,) = loop.turn_until(lambda: lane.claim(1))
        assert json.loads(found.body) == {"n": 2}


@pytest.mark.parametrize("moment", ["1e999", "-1e999", "NaN", "9" * 400])
def test_a_moment_that_no_clock_reaches_is_none(consume, message, server, prefix, moment):
    lane = consume()
    server.lpush(f"{prefix}tasks", b'{"body":"", "headers":{"eta":%b}, "properties":{}}' % moment.encode())
    (found,) = lane.claim(5)
    assert set(found.headers) == {"eta"}
