"""Plain Kombu code on the in-memory broker, beside the lanes."""

from __future__ import annotations

import threading
import time

import pytest
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.pidbox import Mailbox

from celeriac.contracts import Settlements


def drain_until(connection, condition, timeout=10.0):
    deadline = time.monotonic() + timeout
    while not condition():
        connection.drain_events(timeout=deadline - time.monotonic())


def test_what_a_producer_publishes_a_lane_claims(connect, consumer):
    lane = consumer()
    with connect() as connection:
        Producer(connection).publish(
            {"n": 1}, routing_key="tasks", headers={"task": "t"}, correlation_id="c", priority=4, serializer="json"
        )
    (delivery,) = lane.claim(1)
    assert delivery.body == b'{"n": 1}'
    assert (delivery.content_type, delivery.content_encoding) == ("application/json", "utf-8")
    assert delivery.headers == {"task": "t"}
    assert delivery.properties == {"correlation_id": "c", "priority": 4, "delivery_mode": 2}


def test_what_a_lane_publishes_a_consumer_receives(connect, producer, message):
    received = []
    with connect() as connection, Consumer(connection, [Queue("tasks")], on_message=received.append):
        producer.publish([message('{"n": 1}', headers={"task": "t"}, priority=4)])
        drain_until(connection, lambda: received)
        (got,) = received
        assert got.decode() == {"n": 1}
        assert got.headers == {"task": "t"}
        assert got.properties["priority"] == 4
        assert got.delivery_info == {"exchange": "", "routing_key": "tasks", "redelivered": False}
        got.ack()


def test_a_simple_queue_works_to_the_letter_of_kombus_documentation(connect):
    with connect() as connection, connection.SimpleQueue("simple") as queue:
        queue.put({"hello": "world"})
        assert queue.qsize() == 1
        got = queue.get(timeout=5)
        assert got.payload == {"hello": "world"}
        got.ack()
        with pytest.raises(queue.Empty):
            queue.get(timeout=0.01)


def test_waiting_for_a_message_ends_when_another_thread_sends_one(connect, producer, message):
    received = []
    with connect() as connection, Consumer(connection, [Queue("tasks")], on_message=received.append, no_ack=True):
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.01)
        thread = threading.Timer(0.05, producer.publish, args=([message("1")],))
        thread.start()
        started = time.monotonic()
        connection.drain_events(timeout=10)
        assert time.monotonic() - started < 5
        thread.join()
    assert received[0].body == b"1"


def test_a_delayed_message_ends_the_wait_when_it_is_due(connect, producer, message):
    received = []
    with connect() as connection, Consumer(connection, [Queue("tasks")], on_message=received.append, no_ack=True):
        due = time.time() + 0.1
        producer.publish([message("1", eta=due)])
        connection.drain_events(timeout=10)
    assert received
    assert due <= time.time() < due + 5


def test_what_a_consumer_requeues_keeps_its_place_and_is_marked(connect, producer, message):
    producer.publish([message("1"), message("2")])
    with connect() as connection:
        queue = Queue("tasks").bind(connection)
        first = queue.get()
        first.requeue()
        again, second = queue.get(), queue.get()
        assert (again.body, again.delivery_info["redelivered"]) == (b"1", True)
        assert (second.body, second.delivery_info["redelivered"]) == (b"2", False)


def test_what_a_consumer_has_not_acked_comes_back_when_it_closes(connect, producer, consumer, message):
    producer.publish([message("kept"), message("acked")])
    connection = connect()
    queue = Queue("tasks").bind(connection)
    queue.get()
    queue.get().ack()
    connection.release()
    (delivery,) = consumer().claim(10)
    assert (delivery.body, delivery.redelivered) == (b"kept", True)


def test_a_rejected_message_reaches_the_dead_letter_exchange(connect, producer, message):
    with connect() as connection:
        dead = Queue("dead", Exchange("dlx", "fanout")).bind(connection)
        dead.declare()
        tasks = Queue("tasks", queue_arguments={"x-dead-letter-exchange": "dlx"}).bind(connection)
        tasks.declare()
        producer.publish([message("1")])
        tasks.get().reject()
        assert tasks.get() is None
        assert dead.get().body == b"1"


def test_a_queue_is_purged_deleted_and_known_to_be_there(connect, producer, message):
    with connect() as connection:
        queue = Queue("tasks", Exchange("x", "direct"), "key").bind(connection)
        with pytest.raises(connection.channel_errors, match="no queue 'tasks'"):
            queue.queue_declare(passive=True)
        queue.declare()
        producer.publish([message("1"), message("2", eta=time.time() + 60)])
        assert queue.queue_declare(passive=True).message_count == 1
        assert queue.purge() == 2
        producer.publish([message("3")])
        queue.delete(if_empty=True)
        assert queue.get().body == b"3"
        queue.delete()
        assert list(connection.default_channel.list_bindings()) == []
        with pytest.raises(connection.channel_errors, match="no queue 'tasks'"):
            queue.queue_declare(passive=True)


def test_a_queue_that_deletes_itself_goes_with_its_last_consumer(connect, producer, message):
    news = Exchange("news", "fanout")
    queue = Queue("reply", news, auto_delete=True)
    with connect() as one, connect() as other:
        first, second = Consumer(one, [queue]), Consumer(other, [queue])
        first.consume()
        second.consume()
        first.cancel()
        assert queue(other).queue_declare(passive=True)
        second.cancel()
        with pytest.raises(other.channel_errors):
            queue(other).queue_declare(passive=True)
        # ... and a broadcast does not fill it for ever
        producer.publish([message("1", "", exchange="news")])
        assert list(other.default_channel.list_bindings()) == []


def test_remote_control_by_kombus_mailbox_is_answered(connect):
    mailbox = Mailbox("control", type="fanout")
    with connect() as worker, connect() as client:
        node = mailbox(worker).Node("node@host")
        node.handler(_ping)
        listening = node.listen(channel=worker.channel())
        answered = threading.Event()

        def answer():
            while not answered.is_set():
                try:
                    worker.drain_events(timeout=0.1)
                except TimeoutError:
                    continue

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            replies = mailbox(client).call(["node@host"], "_ping", timeout=5)
        finally:
            answered.set()
            thread.join()
            listening.cancel()
        assert replies == [{"node@host": "pong"}]


def _ping(state):
    return "pong"


def test_a_loop_delivers_to_consumers_as_messages_come(connect, producer, message, loop):
    received = []
    connection = connect()
    channel = connection.channel()
    with Consumer(channel, [Queue("tasks")], on_message=received.append):
        producer.publish([message("1"), message("2")])
        connection.register_with_event_loop(loop.hub)
        loop.turn_until(lambda: len(received) == 2)
        thread = threading.Thread(target=producer.publish, args=([message("3"), message("4", eta=time.time() + 0.1)],))
        thread.start()
        loop.turn_until(lambda: len(received) == 4)
        thread.join()
        assert [got.body for got in received] == [b"1", b"2", b"3", b"4"]
        connection.transport.unregister_from_event_loop(connection.connection, loop.hub)
        assert not loop.hub.readers


def test_an_ack_makes_room_for_what_the_prefetch_limit_kept_waiting(connect, producer, message, loop):
    received = []
    connection = connect()
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    with Consumer(channel, [Queue("tasks")], on_message=received.append):
        connection.register_with_event_loop(loop.hub)
        producer.publish([message("1"), message("2")])
        loop.turn_until(lambda: received)
        loop.calm(0)
        assert len(received) == 1
        received[0].ack()
        loop.turn_until(lambda: len(received) == 2)
        connection.transport.unregister_from_event_loop(connection.connection, loop.hub)


def test_a_lane_and_a_consumer_share_a_queue_without_sharing_a_message(connect, producer, consumer, message):
    lane = consumer()
    producer.publish([message(str(number)) for number in range(4)])
    with connect() as connection:
        queue = Queue("tasks").bind(connection)
        one, two = queue.get(), lane.claim(1)[0]
        assert (one.body, two.body) == (b"0", b"1")
        one.ack()
        lane.settle(Settlements(ack=[two.tag]))
    assert [delivery.body for delivery in lane.claim(10)] == [b"2", b"3"]


def test_kombus_own_memory_transport_is_another_broker(connect, producer, message, url):
    producer.publish([message("1")])
    with Connection("memory://") as kombus:
        assert Queue("tasks").bind(kombus).get() is None
