"""Plain Kombu code works on the file, across processes, and sees what the lanes see."""

from __future__ import annotations

import pytest
from kombu import Consumer, Exchange, Producer, Queue
from kombu.exceptions import ChannelError
from kombu.pidbox import Mailbox

from celeriac.contracts import Settlements


def test_a_simple_queue_works(connect):
    with connect().SimpleQueue("simple") as sending, connect().SimpleQueue("simple") as receiving:
        sending.put({"a": [1, "ü"]})
        sending.put(b"raw", serializer="raw")
        assert len(receiving) == 2
        first = receiving.get(timeout=5)
        assert first.payload == {"a": [1, "ü"]}
        first.ack()
        assert receiving.get(timeout=5).payload == b"raw"
        with pytest.raises(receiving.Empty):
            receiving.get(timeout=0.05)


@pytest.mark.parametrize(
    ("kind", "bound", "sent", "arrives"),
    [
        ("direct", "key", "key", True),
        ("direct", "key", "other", False),
        ("topic", "news.*", "news.uk", True),
        ("topic", "news.*", "news.uk.london", False),
        ("topic", "news.#", "news", True),
        ("fanout", "", "anything", True),
    ],
)
def test_exchanges_route_between_processes(connect, party, kind, bound, sent, arrives):
    connection = connect()
    queue = Queue("receiver", Exchange("exchange", kind), routing_key=bound)
    received = []
    with Consumer(connection, [queue], callbacks=[lambda body, _: received.append(body)], no_ack=True):
        assert party("send", "exchange", kind, sent, "hello").wait() == 0
        if arrives:
            connection.drain_events(timeout=5)
            assert received == [{"body": "hello"}]
        else:
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=0.1)


def test_a_broadcast_reaches_every_process(connect, party):
    listeners = [party("listen", "news", "fanout", "") for _ in range(2)]
    for listener in listeners:
        listener.wait_for_output("listening")
    Producer(connect(), Exchange("news", "fanout")).publish({"body": "all"})
    for listener in listeners:
        listener.wait_for_output("heard all")


def test_an_exclusive_queue_goes_with_its_process(connect, party, consume, query, loop):
    listener = party("listen", "news", "fanout", "")
    listener.wait_for_output("listening")
    assert len(query("SELECT name FROM queue")) == 1
    listener.kill()
    consume("other")
    loop.turn_until(lambda: query("SELECT name FROM queue") == [("other",)])
    assert query("SELECT * FROM binding") == []


def test_an_exclusive_queue_is_there_again_when_a_process_that_was_taken_for_dead_goes_on(connect, query):
    # Given a process that listens, and has been still for so long that others have taken it for dead
    connection, received = connect(), []
    queue = Queue("mine", Exchange("news", "topic"), routing_key="good.#", exclusive=True, auto_delete=True)
    with Consumer(connection, [queue], callbacks=[lambda body, _: received.append(body)], no_ack=True):
        query("UPDATE owner SET lease_until = -1")
        other = connect()
        other.connect()
        assert query("SELECT name FROM queue") == []
        # When it goes on
        connection.transport._monotonic_upkeep = 0.0
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.01)
        # Then it hears what comes, as before
        Producer(other, Exchange("news", "topic")).publish("heard", routing_key="good.day")
        connection.drain_events(timeout=5)
    assert received == ["heard"]


def test_lanes_and_channels_share_queues(connect, producer, consume, message, bodies):
    connection = connect()
    lane = consume()
    Producer(connection).publish({"from": "kombu"}, routing_key="tasks", headers={"id": "9"}, priority=4)
    (found,) = lane.claim(1)
    assert (found.body, found.headers) == (b'{"from": "kombu"}', {"id": "9"})
    assert found.properties == {"priority": 4, "delivery_mode": 2}
    lane.settle(Settlements(ack=[found.tag]))

    producer.publish([message('{"from": "lane"}')])
    received = Queue("tasks").bind(connection.default_channel).get()
    assert received.payload == {"from": "lane"}
    assert received.delivery_info == {"exchange": "", "routing_key": "tasks", "priority": 0, "redelivered": False}
    received.ack()
    assert lane.depth("tasks") == 0


def test_rejecting_drops_and_requeueing_returns(connect, producer, message, tables):
    queue = Queue("tasks").bind(connect().default_channel)
    producer.publish([message("1"), message("2")])
    queue.get().requeue()
    again = queue.get()
    assert (again.body, again.delivery_info["redelivered"]) == (b"1", True)
    again.reject()
    queue.get().ack()
    assert tables().message == 0


def test_acking_many_acks_all_up_to_it(connect, producer, message, tables):
    queue = Queue("tasks").bind(connect().default_channel)
    producer.publish([message()] * 4)
    received = [queue.get() for _ in range(4)]
    received[2].ack(multiple=True)
    assert tables().message == 1


def test_closing_the_connection_returns_what_was_not_settled(connect, producer, message, tables):
    connection = connect()
    producer.publish([message("1")])
    assert Queue("tasks").bind(connection.default_channel).get().body == b"1"
    connection.release()
    assert (tables().ready, tables().claim, tables().owner) == (1, 0, 0)


def test_the_prefetch_count_is_kept(connect, producer, message):
    connection = connect()
    producer.publish([message("{}")] * 3)
    received = []
    with Consumer(connection, [Queue("tasks")], callbacks=[lambda _, each: received.append(each)], prefetch_count=2):
        connection.drain_events(timeout=1)
        connection.drain_events(timeout=1)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.05)
        received[0].ack()
        connection.drain_events(timeout=1)
    assert len(received) == 3


def test_an_event_loop_drives_consumers(connect, producer, message, loop):
    connection = connect()
    received = []
    connection.register_with_event_loop(loop.hub)
    with Consumer(connection, [Queue("tasks")], callbacks=[lambda body, each: (received.append(body), each.ack())]):
        producer.publish([message('"1"')])
        loop.turn_until(lambda: received == ["1"])
        producer.publish([message('"2"'), message('"3"')])
        loop.turn_until(lambda: received == ["1", "2", "3"])
    connection.transport.unregister_from_event_loop(connection.connection, loop.hub)


def test_queues_can_be_declared_measured_purged_and_deleted(connect, producer, message, tables, query):
    channel = connect().default_channel
    queue = Queue("tasks", Exchange("e"), routing_key="k").bind(channel)
    queue.declare()
    queue.declare()
    producer.publish([message()] * 3)
    assert channel.queue_declare("tasks", passive=True) == ("tasks", 3, 0)
    assert list(channel.list_bindings()) == [("tasks", "e", "k")]
    assert channel.queue_purge("tasks") == 3
    producer.publish([message()])
    queue.get()  # claimed: goes too
    assert queue.delete() == 0
    assert tables().message == 0
    assert query("SELECT count(*) FROM binding") == [(0,)]
    with pytest.raises(ChannelError, match="no queue 'tasks'"):
        channel.queue_declare("tasks", passive=True)


def test_a_queue_that_must_be_empty_to_be_deleted_stays(connect, producer, message, tables):
    queue = Queue("tasks").bind(connect().default_channel)
    queue.declare()
    producer.publish([message()])
    assert queue.delete(if_empty=True) is None
    assert tables().ready == 1


def test_an_exchange_keeps_its_type(connect):
    channel = connect().default_channel
    channel.exchange_declare("e", "topic")
    channel.exchange_declare("e", "topic")
    with pytest.raises(ChannelError, match="'e' is of type 'topic', not 'direct'"):
        channel.exchange_declare("e", "direct")
    with pytest.raises(ChannelError, match=r"cannot be of type 'headers'.*direct, fanout, topic"):
        channel.exchange_declare("h", "headers")
    channel.exchange_declare("e", passive=True)
    with pytest.raises(ChannelError, match="no exchange 'missing'"):
        channel.exchange_declare("missing", passive=True)
    assert channel.get_exchanges() == ["e"]
    channel.exchange_delete("e")
    assert channel.get_exchanges() == []


def test_unbinding_ends_the_flow(connect, tables):
    connection = connect()
    queue = Queue("tasks", Exchange("e"), routing_key="k").bind(connection.default_channel)
    queue.declare()
    producer = Producer(connection)
    producer.publish({}, exchange="e", routing_key="k")
    queue.unbind_from(Exchange("e"), "k")
    producer.publish({}, exchange="e", routing_key="k")
    assert tables().message == 1


def test_remote_control_gets_its_replies(connect, loop):
    mailbox = Mailbox("control", type="fanout", accept=["json"])
    worker, client = connect(), connect()
    node = mailbox.Node("w1@host", state={}, channel=worker.default_channel, handlers={"ping": lambda state: "pong"})
    with node.listen():
        mailbox = mailbox(client)
        ticket = "t1"
        reply_queue = mailbox.get_reply_queue()
        reply_queue(client.default_channel).declare()
        mailbox._publish("ping", {}, destination=None, reply_ticket=ticket, channel=client.default_channel, timeout=5)
        worker.drain_events(timeout=5)
        replies = mailbox._collect(ticket, limit=1, timeout=5, channel=client.default_channel)
    assert replies == [{"w1@host": "pong"}]


def test_the_url_is_shown_and_kept_in_a_clone(connect, url):
    connection = connect()
    assert connection.as_uri() == url
    assert connection.clone().as_uri() == url
    assert connection.transport.driver_version().startswith("3.")
