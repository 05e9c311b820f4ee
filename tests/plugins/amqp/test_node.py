"""What a server can do to those who use it: restart, freeze, run short, close channels, refuse."""

from __future__ import annotations

import logging
import signal
import threading
import time
from uuid import uuid4

import pytest
from kombu import Queue
from kombu.exceptions import OperationalError

from celeriac import Celery
from celeriac.contracts import Settlements
from celeriac_amqp.broker import AmqpTransport
from celeriac_amqp.producer import AmqpProducerLane

pytestmark = pytest.mark.timeout(
    240
)  # of which the first to come starts the server, and each may have to start it again


def tags(deliveries):
    return [delivery.tag for delivery in deliveries]


@pytest.fixture
def make_queue():
    """Return ``make_queue(**arguments)``: the server is the tests' own, so nobody deletes it."""

    def make(**arguments):
        given = {key.replace("_", "-"): value for key, value in arguments.items()}
        return Queue(f"queue-{uuid4().hex}", queue_arguments=given or None)

    return make


# --- it goes away -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_what_was_confirmed_survives_a_restart_of_the_server_and_is_consumed(
    node, produce, consume, make_queue, message, loop, kind
):
    # Given somebody who publishes all the time, and somebody who consumes
    queue = make_queue(x_queue_type=kind)
    lane = produce(node.url)
    worker = consume(queue, url=node.url, prefetch=20)
    confirmed, errors, over = [], [], threading.Event()

    def publish():
        number = 0
        while not over.is_set():
            batch = [message(f"{kind}-{number + each}", queue) for each in range(10)]
            number += 10
            while batch:
                before = batch
                try:
                    lane.publish(batch)
                    batch = []
                except OperationalError as error:
                    errors.append(error)
                    batch = lane.unpublished(batch)
                    over.wait(0.05)
                confirmed.extend(one.headers["id"] for one in before if one not in batch)

    found = set()

    def consumed(count):
        def step():
            try:
                deliveries = worker.claim(20)
                worker.settle(Settlements(ack=tags(deliveries)))
            except OperationalError:
                return False
            found.update(one.headers["id"] for one in deliveries)
            return len(found) >= count

        return step

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        loop.turn_until(consumed(100))

        # When it is started anew
        node.restart()

        # Then both find it again by themselves
        loop.turn_until(consumed(len(found) + 100))
    finally:
        over.set()
        thread.join()

    # And nothing that it has confirmed is missing, and the publisher was told of the rest
    loop.turn_until(lambda: consumed(0)() and found >= set(confirmed))
    assert errors
    assert all("RabbitMQ at 127.0.0.1" in str(error) for error in errors)


def test_a_server_that_freezes_is_noticed_and_found_again(node, connect, make_queue, message, produce, loop, claim):
    # Given a worker that is told of heartbeats every second, and a client
    queue = make_queue()
    lane = AmqpTransport.consumer_lane(connect(node.url, heartbeat=1))
    lane.prefetch(10)
    lane.open([queue], loop.hub, loop.on_ready)
    client = produce(node.url, confirm_timeout=0.5, connect_timeout=0.5)
    client.publish([message(1, queue)])
    claim(lane, 1)

    # When the server says nothing more
    node.signal(signal.SIGSTOP)
    try:
        # Then whoever publishes is told: where the answer to a batch does not come, and where a declaration has none,
        # and where a connection is not answered
        with pytest.raises(OperationalError, match=r"RabbitMQ at 127\.0\.0\.1:\d+/ has not confirmed 1 messages"):
            client.publish([message(2, queue)])
        with pytest.raises(OperationalError, match=r"RabbitMQ at 127\.0\.0\.1:\d+/: it does not answer"):
            client.publish([message(3, queue)])

        # And the worker does not wait for ever
        loop.turn_until(lambda: lane._intake is None)
    finally:
        node.signal(signal.SIGCONT)

    # And both go on where the server does
    client.publish([message(4, queue)])
    found = set()
    while "4" not in found:
        found |= {one.headers["id"] for one in claim(lane, 1)}
    lane.close()


# --- it runs short ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 3_000_000])
@pytest.mark.parametrize("resource", ["memory", "disk"])
def test_an_alarm_is_an_error_that_names_it_and_then_messages_are_taken_again(
    node, produce, consume, claim, make_queue, message, resource, size
):
    # Given a lane, and messages on the server
    queue = make_queue()
    lane = produce(node.url, confirm_timeout=0.5)
    lane.publish([message(number, queue) for number in range(3)])

    # When the server runs short
    node.alarm(resource)

    # Then whoever publishes is told, and soon, also where the server does not even read so much
    begun = time.monotonic()
    batch = [message(number, queue, body=bytes(size)) for number in range(3, 6)]
    with pytest.raises(
        OperationalError, match=rf"because of an alarm: low on {resource}\. 3 messages were not confirmed"
    ):
        lane.publish(batch)
    assert lane.unpublished(batch) == batch
    assert time.monotonic() - begun < 30

    # And workers go on
    worker = consume(queue, url=node.url)
    worker.settle(Settlements(ack=tags(claim(worker, 3))))

    # And when there is room, messages are taken again
    node.calm()
    lane.publish([message("after", queue)])
    found = {one.headers["id"] for one in claim(worker, 1)}
    while "after" not in found:  # those of which the publisher was told that they may be there
        found |= {one.headers["id"] for one in claim(worker, 1)}
    assert found <= {"3", "4", "5", "after"}


def test_an_app_is_told_of_an_alarm_once_and_without_trying_for_minutes(node, make_queue, monkeypatch):
    # Given an app with the usual policy, by which a publish is tried four times
    tries, publish = [], AmqpProducerLane.publish

    def count(lane, messages):
        tries.append(len(messages))
        publish(lane, messages)

    monkeypatch.setattr(AmqpProducerLane, "publish", count)
    app = Celery("alarmed", broker=node.url, set_as_current=False)
    app.conf.task_default_queue = make_queue().name
    app.conf.broker_transport_options = {"confirm_timeout": 0.5}
    app.send_task("any")
    assert tries == [1]
    # When its server runs short
    node.alarm("memory")
    # Then it is told at the first try
    with pytest.raises(OperationalError, match="takes no messages, because of an alarm: low on memory"):
        app.send_task("any")
    assert tries == [1, 1]
    app.close()


# --- it tells ---------------------------------------------------------------------------------------------------------


def test_the_server_tells_operators_when_the_oldest_message_was_sent(
    node, produce, consume, claim, make_queue, message, loop
):
    # Given a queue whose first message was sent before the second, and comes once more
    queue, before = make_queue(), int(time.time())
    producer = produce(node.url)
    first = message(1, queue)
    producer.publish([first])
    sent = first.properties["timestamp"]
    assert before <= sent <= time.time()
    first.properties["timestamp"] = sent - 100
    producer.publish([first, message(2, queue)])
    lane = consume(queue, url=node.url, prefetch=1)
    lane.settle(Settlements(ack=tags(claim(lane, 1))))

    # When the server is asked, as `rabbitmqctl list_queues head_message_timestamp` does
    lane.close()

    def told():
        name = f'rabbit_misc:r(<<"/">>, queue, <<"{queue.name}">>)'
        found = f"element(2, rabbit_amqqueue:lookup({name}))"
        return node.tell(f"element(2, hd(rabbit_amqqueue:info({found}, [head_message_timestamp])))")

    # Then it names the moment of the oldest
    loop.turn_until(lambda: told() == str(sent - 100))


# --- it closes channels -----------------------------------------------------------------------------------------------


def test_consumer_timeout_costs_the_channel_and_not_the_task(
    node, produce, consume, claim, make_queue, message, loop, caplog
):
    # Given a server on which a delivery is to be acked within a second
    node.tell("application:set_env(rabbit, channel_tick_interval, 200)")
    queue = make_queue()
    producer = produce(node.url)
    producer.publish([message(1, queue)])
    node.tell("application:set_env(rabbit, consumer_timeout, 1000)")
    try:
        lane = consume(queue, url=node.url, on_void=lambda void: void)

        # When a task takes longer
        (running,) = claim(lane, 1)
        with caplog.at_level(logging.ERROR):
            loop.turn_until(lambda: lane._intake is None)
    finally:
        node.tell("application:set_env(rabbit, consumer_timeout, 1800000)")

    # Then the log says why, and what to do
    assert "delivery acknowledgement" in caplog.text
    assert "consumer_timeout" in caplog.text

    # And the message is not handed out a second time, and others are
    producer.publish([message(2, queue)])
    (other,) = claim(lane, 1)
    assert other.headers["id"] == "2"

    # And it is acked when the task has ended
    lane.settle(Settlements(ack=[running.tag, other.tag]))
    loop.calm()
    lane.close()
    rest = consume(queue, url=node.url)
    loop.calm()
    assert rest.claim(5) == []


def test_where_a_user_may_have_few_channels_there_are_no_more(node, produce, consume, make_queue, loop, hold):
    # Given a server that lets a user have two channels, of which the client that sends has one
    queue = make_queue()
    node.tell('rabbit_auth_backend_internal:set_user_limits(<<"guest">>, <<"{\\"max-channels\\": 2}">>, <<"test">>)')
    try:
        producer = produce(node.url)
        lane = consume(queue, url=node.url, prefetch=300 + 10)

        # When the lane holds many messages, and is refused another channel for others
        with pytest.raises(OperationalError, match="NOT_ALLOWED"):
            hold(lane, queue, 300, producer)
        loop.turn_until(lambda: lane._intake is None)

        # Then it goes on with one
        lane.prefetch(300 + 20)
        held = hold(lane, queue, 300, producer)
        assert len(lane._intake.channels) == 1
        lane.settle(Settlements(ack=tags(held)))
    finally:
        node.tell('rabbit_auth_backend_internal:clear_user_limits(<<"guest">>, <<"all">>, <<"test">>)')


def test_a_queue_that_is_there_with_other_arguments_is_an_error_that_says_so(
    node, produce, consume, make_queue, message
):
    queue = make_queue()
    produce(node.url).publish([message(1, queue)])
    other = Queue(queue.name, queue_arguments={"x-max-priority": 5})
    remedy = rf"inequivalent arg 'x-max-priority' for queue '{queue.name}'.*delete it, or declare it as it is"
    with pytest.raises(OperationalError, match=remedy):
        produce(node.url).publish([message(1, other)])
    with pytest.raises(OperationalError, match=remedy):
        consume(other, url=node.url)
