"""Batches are confirmed, and what the server has not taken is known exactly."""

from __future__ import annotations

import itertools
import re
import threading
import time

import pytest
from kombu import Connection, Exchange
from kombu.exceptions import OperationalError

from celeriac.contracts import Settlements
from celeriac.exceptions import ImproperlyConfigured, SerializationError
from celeriac_amqp.link import Link


def test_a_batch_is_there_when_publish_returns(producer, queue, message, ready):
    producer.publish([message(number, queue) for number in range(2000)])
    assert ready(queue) == 2000


def test_a_batch_of_large_messages_is_split_into_frames(producer, queue, message, consume, claim):
    large = [message(number, queue, body=bytes([number]) * 700_000) for number in range(3)]
    producer.publish(large)
    assert [each.body for each in claim(consume(queue), 3)] == [each.body for each in large]


def test_those_that_no_queue_is_bound_for_are_named_and_no_others(producer, queue, message, ready):
    batch = [message(number, queue) for number in range(5)]
    for place in (1, 3):
        batch[place].routing_key = "nobody-listens"

    with pytest.raises(OperationalError, match=r"2 of 5 messages were returned.*nobody-listens"):
        producer.publish(batch)

    assert producer.published == 1
    assert producer.unpublished(batch) == [batch[1], batch[3]]
    assert ready(queue) == 3
    producer.publish(batch[:1])  # the lane is as good as new
    assert ready(queue) == 4


def test_those_that_a_full_queue_refuses_are_named_and_no_others(producer, new_queue, message, ready):
    queue, full = new_queue(), new_queue(x_max_length=2, x_overflow="reject-publish")
    batch = [message(number, full if number % 2 else queue) for number in range(10)]

    with pytest.raises(OperationalError, match="3 of 10 messages were refused: a queue is full"):
        producer.publish(batch)

    assert producer.unpublished(batch) == [batch[5], batch[7], batch[9]]
    assert (ready(queue), ready(full)) == (5, 2)


def test_a_quorum_queue_that_eight_declare_at_once_takes_what_all_send(produce, new_queue, message, ready):
    # Given eight connections, and queues that nobody has declared; where two declare one, the server answers the second
    # before the queue can take anything
    lanes = [produce() for _ in range(8)]
    queues = [new_queue(x_queue_type="quorum") for _ in range(4)]
    errors = []

    def send(number, lane, queue, barrier):
        barrier.wait()
        try:
            lane.publish([message(number, queue)])
        except OperationalError as error:
            errors.append(error)

    # When all send to one at the same moment
    for queue in queues:
        barrier = threading.Barrier(len(lanes))
        threads = [
            threading.Thread(target=send, args=(number, lane, queue, barrier)) for number, lane in enumerate(lanes)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # Then it takes all
    assert errors == []
    assert [ready(queue) for queue in queues] == [8] * 4


def test_nothing_is_sent_where_one_message_cannot_be_carried(producer, queue, message, ready):
    batch = [message(1, queue), message(2, queue, headers={"id": "2", "stamp": object()})]
    with pytest.raises(SerializationError, match="message 2: RabbitMQ cannot carry it: stamp"):
        producer.publish(batch)
    assert ready(queue) == 0


def test_headers_that_are_larger_than_a_frame_are_refused_before_the_server_closes_the_connection(
    producer, queue, message, ready
):
    batch = [message(1, queue), message(2, queue, headers={"id": "2", "stamp": "x" * 131_000})]
    with pytest.raises(SerializationError, match=r"message 2: .* headers take 131\d+ bytes, and a frame .* 131072"):
        producer.publish(batch)
    assert ready(queue) == 0
    producer.publish([message(3, queue, headers={"id": "3", "stamp": "x" * 130_000})])
    assert ready(queue) == 1


def test_an_exchange_that_is_not_there_is_an_error_before_anything_is_sent(producer, queue, message, ready):
    batch = [message(1, queue), message(2, None, exchange="celeriac-test-no-such", routing_key="x")]
    with pytest.raises(OperationalError, match="no exchange 'celeriac-test-no-such'"):
        producer.publish(batch)
    assert producer.published == 0
    producer.publish(batch[:1])
    assert ready(queue) == 1


def test_a_broadcast_that_nobody_hears_is_no_error(producer, url, message):
    exchange = Exchange("celeriac-test-broadcast", type="fanout")
    producer.publish([message(1, None, queue=exchange, exchange=exchange.name)])
    with Connection(url) as connection:
        exchange(connection.default_channel).delete()


def test_a_connection_that_was_closed_meanwhile_is_made_anew(produce, queue, message, proxy, proxied, ready):
    lane = produce(proxied)
    lane.publish([message(1, queue)])
    proxy.cut()
    lane.publish([message(2, queue)])
    assert ready(queue) == 2


def test_what_was_not_confirmed_is_left_when_the_connection_breaks(produce, queue, message, proxy, proxied, ready):
    lane = produce(proxied, confirm_timeout=0.5)
    lane.publish([message(0, queue)])
    proxy.swallows_answers = True
    batch = [message(number, queue) for number in range(1, 4)]
    with pytest.raises(OperationalError, match=r"has not confirmed 3 messages within 0\.5 s"):
        lane.publish(batch)
    assert lane.published == 0
    assert lane.unpublished(batch) == batch
    proxy.swallows_answers = False
    lane.publish(batch)  # at least once
    assert ready(queue) == 7


def test_a_server_that_is_away_is_an_error_that_names_it_and_then_works(produce, queue, message, proxy, proxied, url):
    lane = produce("amqp://guest:s3cret@127.0.0.1:1//")
    with pytest.raises(OperationalError, match=r"RabbitMQ at 127\.0\.0\.1:1/") as caught:
        lane.publish([message(1, queue)])
    assert "s3cret" not in str(caught.value)


def test_the_next_server_of_a_list_is_taken(produce, queue, message, ready, url):
    lane = produce(f"amqp://guest:guest@127.0.0.1:1//;{url}")
    lane.publish([message(1, queue)])
    assert ready(queue) == 1


def test_servers_are_tried_in_the_order_of_the_strategy(connect):
    urls = [f"amqp://127.0.0.1:{port}//" for port in (1, 2, 3)]

    def order(strategy):
        connection = connect(";".join(urls), settings={"failover_strategy": strategy})
        with pytest.raises(OperationalError) as caught:
            Link(connection).connect()
        # The first is named; the others follow it.
        first = int(re.search(r"127\.0\.0\.1:(\d)/", str(caught.value)).group(1))
        return first, [server.port for server in Link(connection)._servers]

    assert order("round-robin") == (1, [1, 2, 3])
    assert order(lambda servers: itertools.cycle(reversed(servers)))[1] == [3, 2, 1]
    assert {tuple(order("shuffle")[1]) for _ in range(100)} > {(1, 2, 3), (3, 2, 1)}


def test_a_confirm_timeout_that_is_none_is_refused(produce):
    with pytest.raises(ImproperlyConfigured, match="confirm_timeout"):
        produce(confirm_timeout="soon")


@pytest.mark.parametrize("kind", ["direct", "topic"])
def test_a_message_for_a_quorum_queue_waits_in_the_server(
    produce, consume, claim, new_queue, message, prefix, ready, kind
):
    queue = new_queue(kind, routing_key="some.key", x_queue_type="quorum")
    lane = produce(delayed_delivery_prefix=prefix)
    due = time.time() + 3.2
    sent = message(1, queue, eta=due, exchange=queue.exchange.name, routing_key="some.key")
    sent.properties["expiration"] = "500"  # which must not bring it sooner
    lane.publish([sent])
    assert ready(queue) == 0

    (found,) = claim(consume(queue, delayed_delivery_prefix=prefix), 1)

    assert due - 3 < time.time() < due, "what is left is the worker's to wait for"
    assert "expiration" not in found.properties
    assert not found.routing_key.startswith(("0.", "1."))


def test_a_message_for_a_classic_queue_waits_in_the_worker(producer, queue, message, ready):
    producer.publish([message(1, queue, eta=time.time() + 100)])
    assert ready(queue) == 1


def test_a_delayed_message_comes_to_its_queue_alone(produce, consume, claim, new_queue, message, prefix, loop):
    first, other = new_queue(x_queue_type="quorum"), new_queue(x_queue_type="quorum")
    lane = produce(delayed_delivery_prefix=prefix)
    far = consume(other, delayed_delivery_prefix=prefix)
    near = consume(first, delayed_delivery_prefix=prefix)
    lane.publish([message(number, first, eta=time.time() + 0.3) for number in range(3)])
    found = claim(near, 3)
    near.settle(Settlements(ack=[each.tag for each in found]))
    loop.calm()
    assert far.claim(10) == []
