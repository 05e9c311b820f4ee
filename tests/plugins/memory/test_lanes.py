"""The lanes of the in-memory broker, as the worker and the producer use them."""

from __future__ import annotations

import os
import threading
import time

import pytest
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from celeriac.contracts import LaneCapabilities, Settlements
from celeriac.contracts.broker import lanes_of
from celeriac_memory.broker import Transport


def bodies(deliveries):
    return [delivery.body for delivery in deliveries]


def test_a_message_arrives_as_it_was_sent(producer, consumer, message):
    lane = consumer()
    producer.publish([message(b"\x00\xff", headers={"task": "proj.add", "id": "i"}, priority=3)])
    (delivery,) = lane.claim(10)
    assert delivery.queue == "tasks"
    assert delivery.body == b"\x00\xff"
    assert delivery.headers == {"task": "proj.add", "id": "i"}
    assert delivery.properties == {"correlation_id": "c", "delivery_mode": 2, "priority": 3}
    assert (delivery.content_type, delivery.content_encoding) == ("application/json", "utf-8")
    assert (delivery.exchange, delivery.routing_key) == ("", "tasks")
    assert (delivery.redelivered, delivery.delivery_count) == (False, 1)


def test_messages_published_before_anybody_listens_are_kept(producer, consumer, message):
    producer.publish([message("early")])
    assert bodies(consumer().claim(10)) == [b"early"]


def test_a_claim_takes_no_more_than_its_limit_and_the_oldest_first(producer, consumer, message):
    lane = consumer()
    producer.publish([message(str(number)) for number in range(5)])
    assert bodies(lane.claim(3)) == [b"0", b"1", b"2"]
    assert bodies(lane.claim(3)) == [b"3", b"4"]
    assert lane.claim(3) == []


def test_the_higher_priority_comes_first_and_equal_ones_keep_their_order(producer, consumer, message):
    lane = consumer()
    sent = [("low", 0), ("none", None), ("high", 9), ("middle", 5), ("high too", 9)]
    producer.publish([message(body, priority=priority) for body, priority in sent])
    assert bodies(lane.claim(10)) == [b"high", b"high too", b"middle", b"low", b"none"]


def test_the_oldest_of_several_queues_comes_first(producer, consumer, message):
    lane = consumer("a", "b")
    producer.publish([message("1", "a"), message("2", "b"), message("3", "a"), message("4", "b", priority=1)])
    assert bodies(lane.claim(10)) == [b"4", b"1", b"2", b"3"]


def test_a_lane_claims_from_its_own_queues_only(producer, consumer, message):
    lane = consumer("mine")
    producer.publish([message("1", "other")])
    assert lane.claim(10) == []
    assert lane.depth("other") == 1


def test_two_lanes_never_share_a_message(producer, consumer, message):
    one, other = consumer(), consumer()
    producer.publish([message(str(number)) for number in range(4)])
    claimed = bodies(one.claim(2) + other.claim(2) + one.claim(2))
    assert claimed == [b"0", b"1", b"2", b"3"]


def test_an_acked_message_is_gone(producer, consumer, message):
    lane = consumer()
    producer.publish([message("1")])
    lane.settle(Settlements(ack=[delivery.tag for delivery in lane.claim(1)]))
    lane.close()
    assert consumer().claim(10) == []


def test_a_message_given_back_has_its_old_place_and_was_never_delivered(producer, consumer, message):
    lane = consumer()
    producer.publish([message("1"), message("2"), message("3")])
    first, second = lane.claim(2)
    lane.settle(Settlements(requeue=[second.tag, first.tag]))
    again = lane.claim(10)
    assert bodies(again) == [b"1", b"2", b"3"]
    assert [delivery.delivery_count for delivery in again] == [1, 1, 1]
    assert not any(delivery.redelivered for delivery in again)


def test_a_message_delivered_again_says_how_often(producer, consumer, message):
    lane = consumer()
    producer.publish([message("1")])
    for count in (1, 2, 3):
        (delivery,) = lane.claim(1)
        assert (delivery.delivery_count, delivery.redelivered) == (count, count > 1)
        lane.settle(Settlements(redeliver=[delivery.tag]))


def test_a_rejected_message_is_dropped(producer, consumer, message):
    lane = consumer()
    producer.publish([message("1")])
    lane.settle(Settlements(reject=[lane.claim(1)[0].tag]))
    assert lane.claim(1) == []


def test_a_rejected_message_goes_to_the_dead_letter_exchange_of_its_queue(producer, consumer, message):
    dead = Queue("dead", Exchange("dlx", "direct"), "tasks")
    lane = consumer(Queue("tasks", queue_arguments={"x-dead-letter-exchange": "dlx"}), dead)
    producer.publish([message("1", priority=2)])
    lane.settle(Settlements(reject=[lane.claim(1)[0].tag]))
    (delivery,) = lane.claim(10)
    assert (delivery.queue, delivery.body, delivery.delivery_count) == ("dead", b"1", 1)
    assert delivery.properties["priority"] == 2


def test_settling_twice_or_what_nobody_claimed_changes_nothing(producer, consumer, message):
    lane = consumer()
    producer.publish([message("1")])
    (delivery,) = lane.claim(1)
    lane.settle(Settlements(requeue=[delivery.tag]))
    lane.settle(Settlements(requeue=[delivery.tag], redeliver=[delivery.tag], reject=[delivery.tag], ack=["stranger"]))
    assert bodies(lane.claim(10)) == [b"1"]


def test_a_stale_tag_does_not_settle_a_later_claim_of_the_same_message(producer, consumer, message):
    lane = consumer()
    producer.publish([message("1")])
    (stale,) = lane.claim(1)
    lane.settle(Settlements(requeue=[stale.tag]))
    (fresh,) = lane.claim(1)
    lane.settle(Settlements(ack=[stale.tag]))
    lane.settle(Settlements(requeue=[fresh.tag]))
    assert bodies(lane.claim(1)) == [b"1"]


def test_a_turn_settles_before_it_claims(producer, consumer, message):
    lane = consumer()
    producer.publish([message("1")])
    (delivery,) = lane.claim(1)
    assert bodies(lane.turn(Settlements(requeue=[delivery.tag]), 5)) == [b"1"]


def test_a_closed_lane_gives_back_what_it_had_not_begun(producer, consumer, message):
    lane = consumer()
    producer.publish([message("begun"), message("claimed"), message("acked")])
    begun, _, acked = lane.claim(3)
    lane.settle(Settlements(begin=[begun.tag], ack=[acked.tag]))
    lane.close()
    lane.close()
    (again,) = consumer().claim(10)
    assert (again.body, again.delivery_count) == (b"claimed", 1)


def test_a_begun_message_whose_lane_is_gone_is_found_lost_once(producer, consumer, message):
    # Given a lane that closed while what it had begun had not ended
    gone = consumer()
    producer.publish([message("1")])
    gone.settle(Settlements(begin=[gone.claim(1)[0].tag]))
    gone.close()
    # Then another lane of the queue finds it, once, and may ack it; it is never delivered
    heir = consumer()
    assert consumer("other").lost() == []
    (lost,) = heir.lost()
    assert (lost.body, lost.headers) == (b"1", {"task": "t"})
    assert heir.lost() == []
    heir.settle(Settlements(ack=[lost.tag]))
    heir.close()
    assert consumer().lost() == []
    assert consumer().claim(10) == []


def test_what_was_found_lost_and_not_acked_is_found_again(producer, consumer, message):
    gone = consumer()
    producer.publish([message("1")])
    gone.settle(Settlements(begin=[gone.claim(1)[0].tag]))
    gone.close()
    heir = consumer()
    heir.lost()
    heir.close()
    assert bodies(consumer().lost()) == [b"1"]


def test_a_begun_message_can_still_be_given_back(producer, consumer, message):
    lane = consumer()
    producer.publish([message("1")])
    (delivery,) = lane.claim(1)
    lane.settle(Settlements(begin=[delivery.tag]))
    lane.settle(Settlements(requeue=[delivery.tag]))
    assert bodies(lane.claim(1)) == [b"1"]


def test_a_lane_that_was_never_opened_can_be_closed(connect):
    lane = Transport.consumer_lane(connect())
    lane.close()
    lane.close()


def test_a_queue_that_nobody_declared_is_made_by_the_first_message(producer, consumer, message):
    producer.publish([message("1", "new")])
    assert bodies(consumer("new").claim(1)) == [b"1"]


def test_the_queue_of_a_message_is_declared_with_its_binding(producer, consumer, message):
    queue = Queue("reports", Exchange("work", "topic"), "report.#")
    producer.publish([message("1", "report.daily", exchange="work", declare=queue)])
    (delivery,) = consumer(queue).claim(1)
    assert (delivery.exchange, delivery.routing_key, delivery.queue) == ("work", "report.daily", "reports")


def test_a_fanout_exchange_gives_each_queue_a_copy(producer, consumer, message):
    news = Exchange("news", "fanout")
    lane = consumer(Queue("a", news), Queue("b", news))
    producer.publish([message("1", "ignored", exchange="news")])
    first, second = lane.claim(10)
    assert {first.queue, second.queue} == {"a", "b"}
    lane.settle(Settlements(ack=[first.tag], requeue=[second.tag]))
    assert [delivery.queue for delivery in lane.claim(10)] == [second.queue]


@pytest.mark.parametrize("known", [True, False])
def test_a_message_that_reaches_no_queue_is_refused_with_its_whole_batch(producer, consumer, message, known):
    lane = consumer(Queue("tasks", Exchange("direct", "direct"), "bound"))
    exchange = "direct" if known else "nowhere"
    with pytest.raises(OperationalError, match=f"'{exchange}' with the routing key 'unbound'"):
        producer.publish([message("1"), message("2", "unbound", exchange=exchange)])
    assert lane.claim(10) == []


def test_a_broadcast_that_nobody_hears_is_no_error(producer, consumer, message):
    lane = consumer(Queue("events", Exchange("topic", "topic"), "task.*"))
    producer.publish([message("1", "worker.online", exchange="topic")])
    assert lane.claim(10) == []


def test_a_contradicting_declaration_is_refused(producer, consumer, message):
    consumer(Queue("one", Exchange("x", "direct"), "one"))
    queue = Queue("two", Exchange("x", "topic"), "two")
    with pytest.raises(OperationalError, match="the queue 'two' cannot be declared"):
        producer.publish([message("1", "two", exchange="x", declare=queue)])


def test_what_is_done_to_a_received_or_sent_message_does_not_reach_the_other_side(producer, consumer, message):
    sent = message("1")
    lane = consumer()
    producer.publish([sent])
    sent.headers["task"] = "changed by the sender"
    (delivery,) = lane.claim(1)
    delivery.headers["task"] = "changed by the receiver"
    lane.settle(Settlements(requeue=[delivery.tag]))
    assert lane.claim(1)[0].headers == {"task": "t"}


def test_two_addresses_are_two_brokers(connect, producer, consumer, message):
    consumer()
    other = Transport.producer_lane(connect("memory://elsewhere-" + os.urandom(4).hex()))
    other.publish([message("1")])
    assert consumer().claim(10) == []
    other.close()


def test_no_host_is_localhost(connect, message):
    assert connect("memory://").transport.store is connect("memory://localhost/").transport.store
    assert connect("memory://localhost").transport.store is not connect("memory://localhost/vhost").transport.store


# -- waking up ---------------------------------------------------------------------------------------------------------


def test_an_open_lane_is_told_of_what_is_there_already(producer, consumer, message, loop):
    producer.publish([message("1")])
    lane = consumer()
    loop.turn_until(lambda: loop.calls)
    assert bodies(lane.claim(1)) == [b"1"]


def test_a_message_from_another_thread_wakes_the_loop(producer, consumer, message, loop):
    lane = consumer()
    loop.calm(0)
    loop.calls = 0
    thread = threading.Thread(target=producer.publish, args=([message("1")],))
    thread.start()
    loop.turn_until(lambda: loop.calls)
    thread.join()
    assert bodies(lane.claim(1)) == [b"1"]


def test_an_idle_lane_is_not_called_again_and_again(producer, consumer, message, loop):
    lane = consumer()
    producer.publish([message(str(number)) for number in range(3)])
    loop.calm(0)
    loop.calm(0)
    # Once for all that has come, whether or not it was claimed
    assert loop.calls == 1
    lane.claim(10)
    loop.calm(0)
    assert loop.calls == 1


def test_a_message_for_another_queue_wakes_nobody(producer, consumer, message, loop):
    consumer("mine")
    loop.calm(0)
    loop.calls = 0
    producer.publish([message("1", "other")])
    loop.calm(0)
    assert loop.calls == 0


def test_what_one_lane_gives_back_wakes_the_other(producer, consumer, message, loop):
    lane = consumer()
    producer.publish([message("1")])
    (delivery,) = lane.claim(1)
    woken = []
    other = consumer(on_ready=lambda: woken.append(True))
    loop.calm(0)
    woken.clear()
    lane.settle(Settlements(requeue=[delivery.tag]))
    loop.turn_until(lambda: woken)
    assert bodies(other.claim(1)) == [b"1"]


def test_a_closed_lane_is_called_no_more(producer, consumer, message, loop):
    lane = consumer()
    loop.calm(0)
    loop.calls = 0
    lane.close()
    producer.publish([message("1")])
    loop.calm(0)
    assert loop.calls == 0
    assert not loop.hub.readers
    assert not lane._store._listeners


# -- delay -------------------------------------------------------------------------------------------------------------


def test_a_message_with_an_eta_is_held_back_and_wakes_the_lane_when_it_is_due(producer, consumer, message, loop):
    lane = consumer()
    assert LaneCapabilities.NATIVE_DELAY in lane.capabilities
    due = time.time() + 0.2
    producer.publish([message("later", eta=due), message("now")])
    assert bodies(lane.claim(10)) == [b"now"]
    assert lane.depth("tasks") == 0
    (delivery,) = loop.turn_until(lambda: lane.claim(10))
    assert delivery.body == b"later"
    assert time.time() >= due


def test_the_loop_wakes_up_by_itself_for_a_delayed_message(producer, consumer, message, loop):
    lane = consumer()
    due = time.time() + 0.2
    producer.publish([message("later", eta=due)])
    loop.calm(0)
    loop.calls = 0
    loop.turn_until(lambda: loop.calls and time.time() >= due)
    assert bodies(lane.claim(1)) == [b"later"]


def test_of_two_delayed_messages_the_earlier_one_wakes_first(producer, consumer, message, loop):
    lane = consumer()
    producer.publish([message("in an hour", eta=time.time() + 3600)])
    loop.calm(0)
    due = time.time() + 0.2
    producer.publish([message("soon", eta=due)])
    loop.calm(0)
    loop.calls = 0
    loop.turn_until(lambda: loop.calls and time.time() >= due)
    assert bodies(lane.claim(10)) == [b"soon"]


def test_a_message_that_is_due_and_not_claimed_does_not_keep_the_loop_busy(producer, consumer, message, loop):
    consumer()
    due = time.time() + 0.05
    producer.publish([message("later", eta=due)])
    loop.turn_until(lambda: time.time() >= due + 0.05)
    loop.calm(0)
    calls = loop.calls
    loop.calm(0)
    loop.calm(0)
    assert loop.calls == calls


def test_an_eta_that_has_passed_holds_nothing_back(producer, consumer, message):
    lane = consumer()
    producer.publish([message("1", eta=time.time() - 60)])
    assert bodies(lane.claim(1)) == [b"1"]


# -- threads and processes ---------------------------------------------------------------------------------------------


def test_eight_threads_lose_and_double_nothing(connect, consumer, message):
    lanes = [consumer() for _ in range(4)]
    per_thread = 200
    publishing = threading.Barrier(8)
    claimed: list[bytes] = []

    def publish(thread):
        lane = Transport.producer_lane(connect())
        publishing.wait()
        for number in range(per_thread):
            lane.publish([message(f"{thread}-{number}", priority=number % 3)])

    def claim(lane):
        publishing.wait()
        deadline = time.monotonic() + 20
        while len(claimed) < 4 * per_thread and time.monotonic() < deadline:
            deliveries = lane.claim(7)
            kept, returned = deliveries[:5], deliveries[5:]
            lane.settle(
                Settlements(ack=[delivery.tag for delivery in kept], requeue=[delivery.tag for delivery in returned])
            )
            claimed.extend(bodies(kept))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    threads += [threading.Thread(target=claim, args=(lane,)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 4 * per_thread
    assert len(set(claimed)) == 4 * per_thread


def test_the_kernel_finds_the_native_lanes():
    assert lanes_of(Transport) == (Transport.producer_lane, Transport.consumer_lane)
