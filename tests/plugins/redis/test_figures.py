"""What ``celeriac queues`` is told of the queues of a server."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from kombu import Connection, Producer, Queue

from celeriac.contracts import QueueFigures, Settlements
from celeriac_redis.broker import RedisTransport
from celeriac_redis.envelope import dated_tag


@pytest.fixture
def figures(connect):
    return lambda *queues: RedisTransport.queue_figures(connect(), queues or ("tasks",))


def test_what_is_ready_held_and_claimed_is_counted(producer, consume, message, figures):
    # Given three messages for now and two for later, of which a worker has seen all
    later = time.time() + 3600
    producer.publish([message(str(number), properties={"priority": number}) for number in range(3)])
    producer.publish(
        [message("later", eta=later + 60), message("later", eta=later), message("x", routing_key="others")]
    )
    lane = consume()
    claimed = lane.claim(5)
    assert len(claimed) == 3
    # When one of them has begun, one is given back and one is acknowledged
    lane.settle(Settlements(begin=[claimed[0].tag], requeue=[claimed[1].tag], ack=[claimed[2].tag]))
    # Then each is counted where it is
    found = figures("tasks", "others", "nothing")
    assert found["tasks"][:3] == (1, 2, 1)
    assert 0 <= found["tasks"].oldest < 10
    assert 3500 < found["tasks"].due <= 3600
    assert found["others"][:3] == (1, 0, 0)
    assert found["others"].due is None
    assert "nothing" not in found


def test_what_celery_has_sent_and_claimed_is_counted_and_has_no_age(server, url, prefix, figures):
    # Given a queue of Kombu's own transport
    options = {"global_keyprefix": prefix}
    with Connection(url, transport="kombu.transport.redis:Transport", transport_options=options) as kombu:
        queue = Queue("tasks", routing_key="tasks")(kombu.default_channel)
        queue.declare()
        for _ in range(3):
            Producer(kombu).publish({}, routing_key="tasks")
        # When one of its messages is claimed
        claimed = queue.get()
        # Then it is counted, and nobody says how old the others are
        assert figures()["tasks"] == QueueFigures(2, 0, 1, None)
        claimed.ack()


def test_thousands_of_claims_are_counted_in_steps(producer, consume, message, figures):
    producer.publish([message(str(number)) for number in range(3000)])
    lane = consume()
    for _ in range(2):
        lane.claim(1000)

    assert figures()["tasks"][:3] == (1000, 0, 2000)


def test_the_tag_of_a_message_is_a_uuid_that_tells_when_it_was_made():
    before = time.time_ns() // 1_000_000
    tags = [dated_tag() for _ in range(100)]
    after = time.time_ns() // 1_000_000

    assert len(set(tags)) == 100
    assert {str(UUID(tag)) for tag in tags} == set(tags)
    assert {(UUID(tag).version, UUID(tag).variant) for tag in tags} == {(7, "specified in RFC 4122")}
    assert all(before <= UUID(tag).int >> 80 <= after for tag in tags)
