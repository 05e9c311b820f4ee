"""Messages that are pushed, claimed and settled; connections that break; channels that the server closes."""

from __future__ import annotations

import logging

import pytest
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from celeriac import Celery
from celeriac.contracts import LaneCapabilities, Settlements


def tags(deliveries):
    return [delivery.tag for delivery in deliveries]


def test_no_more_is_pushed_than_the_prefetch_says(producer, consume, claim, queue, message, ready, loop):
    producer.publish([message(number, queue) for number in range(50)])
    lane = consume(queue, prefetch=10)
    claim(lane, 10)
    loop.calm()
    assert lane.claim(100) == []
    assert ready(queue) == 40
    lane.prefetch(30)
    assert len(claim(lane, 20)) == 20
    assert ready(queue) == 20


def test_the_prefetch_of_quorum_queues_grows_with_new_consumers(
    producer, consume, claim, new_queue, message, loop, prefix
):
    queue = new_queue(x_queue_type="quorum")
    producer.publish([message(number, queue) for number in range(50)])
    lane = consume(queue, prefetch=10, delayed_delivery_prefix=prefix)
    first = claim(lane, 10)
    loop.calm()
    assert lane.claim(100) == []
    lane.prefetch(30)
    # Those of the old consumer do not count against the new one.
    second = claim(lane, 30)
    assert not set(tags(first)) & set(tags(second))
    lane.settle(Settlements(ack=tags(first + second)))
    assert len(claim(lane, 10)) == 10


@pytest.mark.covers("settings.worker_disable_prefetch")
@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_without_prefetch_nothing_is_sent_beside_tasks_that_are_begun(
    producer, consume, claim, new_queue, message, ready, loop, prefix, kind
):
    # Given a lane of a worker with two children and without prefetch, and more messages than that
    queue = new_queue(x_queue_type=kind)
    app = Celery("strict", set_as_current=False)
    app.conf.worker_disable_prefetch = True
    lane = consume(queue, prefetch=2, app=app, delayed_delivery_prefix=prefix)
    producer.publish([message(number, queue) for number in range(8)])
    held = claim(lane, 2)

    def left():
        loop.calm()
        assert lane.claim(10) == []
        return ready(queue)

    # When tasks are begun, for which the server has its ack, then their places are taken
    lane.settle(Settlements(begin=tags(held)))
    assert left() == 6

    # And each that ends makes room for one
    lane.settle(Settlements(ack=[held[0].tag]))
    (third,) = claim(lane, 1)
    assert left() == 5
    lane.settle(Settlements(begin=[third.tag]))
    lane.settle(Settlements(ack=[third.tag, held[1].tag]))
    late = claim(lane, 2)

    # And so it is where acks are late, and with another number of children
    assert left() == 3
    lane.settle(Settlements(ack=[late[0].tag]))
    late[0:1] = claim(lane, 1)
    assert left() == 2
    lane.prefetch(3)
    late += claim(lane, 1)
    assert left() == 1

    # And when the worker stops, nothing more comes
    lane.settle(Settlements(begin=tags(late)))
    lane.stop_receiving()
    lane.settle(Settlements(ack=tags(late)))
    assert left() == 1


def test_a_backlog_is_acked_in_few_frames(producer, consume, claim, queue, message, monkeypatch):
    producer.publish([message(number, queue) for number in range(500)])
    lane = consume(queue, prefetch=0)
    found = claim(lane, 500)
    written = []
    monkeypatch.setattr(lane._intake.wire, "say", written.append)
    lane.settle(Settlements(ack=tags(found)))
    assert [len(data) for data in written] == [21]


def test_a_message_of_a_quorum_queue_tells_how_often_it_came(producer, consume, claim, new_queue, message, prefix):
    queue = new_queue(x_queue_type="quorum")
    lane = consume(queue, delayed_delivery_prefix=prefix)
    assert LaneCapabilities.DELIVERY_COUNT in lane.capabilities
    producer.publish([message(1, queue)])
    for count in (1, 2, 3):
        (found,) = claim(lane, 1)
        assert (found.delivery_count, "x-delivery-count" in found.headers) == (count, False)
        lane.settle(Settlements(redeliver=[found.tag]))


def test_a_rejected_message_goes_to_the_dead_letter_exchange(producer, consume, claim, new_queue, message):
    dead = new_queue()
    queue = new_queue(x_dead_letter_exchange="", x_dead_letter_routing_key=dead.name)
    lane = consume(queue, dead)
    producer.publish([message(1, queue)])
    (found,) = claim(lane, 1)
    lane.settle(Settlements(reject=[found.tag]))
    (letter,) = claim(lane, 1)
    assert (letter.queue, letter.headers["id"]) == (dead.name, "1")
    assert letter.headers["x-death"][0]["queue"] == queue.name


def test_a_begun_message_that_is_to_come_again_is_sent_again(producer, consume, claim, queue, message):
    lane = consume(queue)
    producer.publish([message(1, queue)])
    (found,) = claim(lane, 1)
    lane.settle(Settlements(begin=[found.tag]))
    lane.settle(Settlements(redeliver=[found.tag]))
    (again,) = claim(lane, 1)
    assert (again.body, again.headers, again.redelivered) == (found.body, found.headers, False)


def test_every_worker_hears_a_broadcast(producer, consume, claim, url, message):
    exchange = Exchange("celeriac-test-fanout", type="fanout", auto_delete=True)
    queues = [Queue(f"celeriac-test-fanout-{number}", exchange, auto_delete=True) for number in (1, 2)]
    lanes = [consume(queue) for queue in queues]
    producer.publish([message(1, None, queue=exchange, exchange=exchange.name)])
    for lane in lanes:
        (found,) = claim(lane, 1)
        lane.settle(Settlements(ack=[found.tag]))


def test_the_depth_of_a_queue_that_is_not_there_is_unknown(consume, queue):
    lane = consume(queue)
    assert lane.depth("celeriac-test-no-such") is None
    assert lane.depth(queue.name) == 0


def test_a_message_with_properties_that_cannot_be_read_is_handed_over_without(consume, claim, queue, plain, caplog):
    lane = consume(queue)
    # A name that is no text: the server passes it on as it is.
    from amqp.basic_message import Message

    plain.basic_publish(Message("x", application_headers={b"\xff\xfe": 1}), routing_key=queue.name)
    (found,) = claim(lane, 1)
    assert (found.headers, found.body) == ({}, b"x")
    assert "cannot be read" in caplog.text
    lane.settle(Settlements(reject=[found.tag]))


# --- losing the connection --------------------------------------------------------------------------------------------


def test_after_a_cut_all_comes_again_but_what_runs(
    producer, consume, claim, queue, message, proxy, proxied, loop, ready, caplog
):
    producer.publish([message(number, queue) for number in range(6)])
    told = []

    def on_void(void):
        told.append(set(void))
        return {running.tag, ended.tag}

    lane = consume(queue, url=proxied, on_void=on_void)
    running, ended, waiting, early = held = claim(lane, 4)
    lane.settle(Settlements(begin=[early.tag]))
    proxy.cut()
    loop.turn_until(lambda: told)
    assert told == [{running.tag, ended.tag, waiting.tag}]
    lane.settle(Settlements(ack=[ended.tag]))  # kept until its message comes again

    found = claim(lane, 3)

    # 0 runs and 1 has run: neither is handed out again. 3 was acked; 2 was void; 4 and 5 were sent ahead.
    assert [each.headers["id"] for each in found] == ["2", "4", "5"]
    assert found[0].redelivered
    assert not set(tags(found)) & set(tags(held))
    lane.settle(Settlements(ack=[running.tag, early.tag, *tags(found)]))
    loop.calm()
    assert lane.claim(10) == []
    lane.close()
    assert ready(queue) == 0
    assert "Connection to the broker lost" in caplog.text


def test_while_the_server_is_away_a_claim_is_an_error_and_then_resumes(
    producer, consume, claim, queue, message, proxy, proxied, loop, monkeypatch
):
    lane = consume(queue, url=proxied)
    producer.publish([message(1, queue)])
    monkeypatch.setattr(proxy, "_target", ("127.0.0.1", 1))
    proxy.cut()
    loop.turn_until(lambda: lane._intake is None)
    for _ in range(2):
        with pytest.raises(OperationalError, match="RabbitMQ at"):
            lane.claim(1)
    monkeypatch.undo()
    (found,) = claim(lane, 1)
    assert found.body == b"1"


@pytest.mark.parametrize("how", ["ack", "reject"])
def test_what_could_not_be_said_of_a_message_that_came_again_is_said_when_it_comes_once_more(
    producer, consume, claim, queue, message, proxy, proxied, loop, ready, how
):
    # Given a task that has ended while its connection was lost
    producer.publish([message(1, queue), message(2, queue)])
    lost = []
    lane = consume(queue, url=proxied, on_void=lambda void: lost.append(True) or void)
    (ended,) = claim(lane, 1)
    proxy.cut()
    loop.turn_until(lambda: lost)
    lane.settle(Settlements(**{how: [ended.tag]}))

    # When its message comes again, and the connection is lost once more where the broker was to be told
    say = lane._say

    def cut_first(**what):
        lane._say = say
        raise lane._intake.fail(ConnectionError("cut"))

    lane._say = cut_first
    loop.turn_until(lambda: lane.claim(1) or lane._say is say)

    # Then it is not handed out when it comes for the third time, and the broker is told
    (other,) = claim(lane, 1)
    assert other.headers["id"] == "2"
    lane.settle(Settlements(ack=[other.tag]))
    loop.calm()
    assert lane.claim(1) == []
    lane.close()
    assert ready(queue) == 0


@pytest.mark.covers("settings.broker_failover_strategy")
def test_a_worker_goes_on_with_the_next_server_of_a_list(
    producer, consume, claim, queue, message, proxy, proxied, url, loop
):
    lane = consume(queue, url=f"{proxied};{url}")
    assert lane._intake.wire.sock.getpeername()[1] == proxy.port
    proxy.close()
    loop.turn_until(lambda: lane._intake is None)
    producer.publish([message(1, queue)])
    assert claim(lane, 1)[0].headers["id"] == "1"
    assert lane._intake.wire.sock.getpeername()[1] != proxy.port


def test_a_channel_that_the_server_closes_is_opened_again(producer, consume, claim, queue, message, loop, caplog):
    lane = consume(queue, on_void=lambda void: void)
    producer.publish([message(1, queue)])
    (running,) = claim(lane, 1)
    # As the server does after consumer_timeout: an ack of what it does not know closes a channel as well.
    lane._intake.channels.current.channel.basic_ack(999)
    loop.turn_until(lambda: lane._intake is None)
    producer.publish([message(2, queue)])
    (found,) = claim(lane, 1)
    assert found.headers["id"] == "2"  # 1 came first, and its task runs
    lane.settle(Settlements(ack=[running.tag, found.tag]))
    loop.calm()
    assert lane.claim(5) == []


def test_a_channel_that_the_server_closes_is_told_of_and_left_at_that_where_the_worker_ends(
    consume, queue, loop, plain
):
    lane, errors = consume(queue), []
    lane.on_lost = lambda error, tries: errors.append((error, tries))
    lane._intake.channels.current.channel.basic_ack(999)
    loop.turn_until(lambda: errors)
    loop.calm()
    ((error, tries),) = errors
    assert isinstance(error.__cause__, plain.connection.channel_errors)
    assert tries == 0
    assert lane._intake is None


def test_a_queue_that_somebody_deletes_is_declared_again(producer, consume, claim, queue, message, plain, loop):
    lane = consume(queue)
    plain.queue_delete(queue.name)
    loop.turn_until(lambda: lane._intake is None)
    lane.claim(1)
    producer.publish([message(1, queue)])
    assert len(claim(lane, 1)) == 1


def test_heartbeats_are_sent_while_nothing_else_is(consume, connect, queue, loop, monkeypatch):
    from celeriac_amqp.broker import AmqpTransport

    lane = AmqpTransport.consumer_lane(connect(heartbeat=1))
    lane.open([queue], loop.hub, loop.on_ready)
    try:
        before = lane._intake.wire.bytes_sent
        loop.turn_until(lambda: lane._intake.wire.bytes_sent > before)
        assert lane._intake.wire.heartbeat == 1
    finally:
        lane.close()


def test_cuts_under_load_lose_nothing(producer, consume, queue, message, proxy, proxied, loop, ready):
    """Every 200 messages the connection is cut, with claims open and acks on their way."""
    count, done, void = 5000, [], set()
    producer.publish([message(number, queue) for number in range(count)])

    def on_void(tags):
        void.update(tags)
        return ()  # none runs: all may be handed out again

    lane = consume(queue, url=proxied, prefetch=300, on_void=on_void)
    cuts = 0

    def step():
        nonlocal cuts
        try:
            found = lane.claim(100)
            lane.settle(Settlements(ack=tags(found)))
        except OperationalError:
            return False
        done.extend(each.headers["id"] for each in found)
        if len(done) // 200 > cuts and len(done) < count:
            cuts += 1
            proxy.cut()
        return len(set(done)) == count

    loop.turn_until(step, timeout=50)
    assert cuts > 10
    loop.calm()
    lane.close()
    # Acks that were lost with their connection are known, so nothing has come twice either.
    assert len(done) == count
    assert ready(queue) == 0


def test_a_server_that_falls_silent_counts_as_lost(connect, queue, loop, proxy, proxied, caplog):
    from celeriac_amqp.broker import AmqpTransport

    lane = AmqpTransport.consumer_lane(connect(proxied, heartbeat=1))
    lane.open([queue], loop.hub, loop.on_ready)
    try:
        proxy.swallows_answers = True
        with caplog.at_level(logging.ERROR):
            loop.turn_until(lambda: lane._intake is None, timeout=30)
        assert "heartbeats" in caplog.text
    finally:
        lane.close()


def test_what_was_sent_ahead_is_for_others_once_it_takes_no_more(producer, consume, claim, queue, message, loop):
    producer.publish([message(number, queue) for number in range(10)])
    lane = consume(queue)
    held = claim(lane, 2)
    loop.calm()
    lane.stop_receiving()
    assert sorted(each.headers["id"] for each in claim(consume(queue), 8)) == list("23456789")
    lane.settle(Settlements(ack=tags(held)))


def test_a_quorum_queue_joins_classic_ones(producer, consume, claim, queue, new_queue, message, prefix):
    lane = consume(queue, prefetch=10, delayed_delivery_prefix=prefix)
    assert LaneCapabilities.GIVE_BACK in lane.capabilities
    replicated = new_queue(x_queue_type="quorum")
    lane.add_queue(replicated)
    assert LaneCapabilities.GIVE_BACK not in lane.capabilities
    producer.publish([message(1, queue), message(2, replicated)])
    found = {each.queue: each for each in claim(lane, 2)}
    assert set(found) == {queue.name, replicated.name}
    lane.settle(Settlements(ack=[each.tag for each in found.values()]))


@pytest.mark.covers("settings.worker_disable_prefetch")
def test_without_prefetch_a_broadcast_that_comes_while_all_children_are_busy_is_not_lost(
    producer, consume, claim, queue, message, loop
):
    # Given a lane without prefetch of a queue that the server deletes when its last consumer ends, and of another
    app = Celery("strict", set_as_current=False)
    app.conf.worker_disable_prefetch = True
    exchange = Exchange(f"{queue.name}-broadcasts", type="fanout", auto_delete=True)
    own = Queue(f"{queue.name}-broadcast", exchange, auto_delete=True)
    lane = consume(own, queue, prefetch=1, app=app)
    producer.publish([message(1, queue)])
    (running,) = claim(lane, 1)
    lane.settle(Settlements(begin=[running.tag]))

    # When broadcasts come while its only child is busy
    for number in (2, 3):
        producer.publish([message(number, None, queue=exchange, exchange=exchange.name)])
    loop.calm()
    lane.settle(Settlements(ack=[running.tag]))

    # Then they are there when it is not, and so is the other queue
    for number in ("2", "3"):
        (found,) = claim(lane, 1)
        assert found.headers["id"] == number
        lane.settle(Settlements(ack=[found.tag]))
    producer.publish([message(4, queue)])
    assert claim(lane, 1)[0].headers["id"] == "4"
