"""The lanes keep their contract, in one process."""

from __future__ import annotations

import time

import pytest
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from celeriac.contracts import Settlements
from celeriac_redis.broker import RedisTransport
from celeriac_redis.link import Link


def tags(deliveries):
    return [delivery.tag for delivery in deliveries]


@pytest.fixture
def left(server, prefix):
    """Return ``left()``: how many messages are in lists, claimed, begun and held back."""

    def count():
        begun = sum(server.scard(key) for key in server.scan_iter(f"{prefix}celeriac.begun.*"))
        lists = sum(server.llen(key) for key in server.scan_iter(f"{prefix}tasks*"))
        return lists, server.hlen(f"{prefix}unacked") - begun, begun, server.zcard(f"{prefix}celeriac.eta")

    return count


def test_a_message_arrives_as_it_was_sent(producer, consume, message):
    lane = consume()
    sent = message(
        b"\x00\xff",
        headers={"id": "a", "deep": {"list": [1, None, "ü"]}},
        properties={"correlation_id": "a", "priority": 3, "expiration": "60000"},
        content_type="application/data",
        content_encoding="binary",
    )
    producer.publish([sent])
    (found,) = lane.claim(10)
    assert (found.body, found.headers, found.properties) == (b"\x00\xff", sent.headers, sent.properties)
    assert (found.content_type, found.content_encoding) == ("application/data", "binary")
    assert (found.queue, found.exchange, found.routing_key) == ("tasks", "", "tasks")
    assert (found.redelivered, found.delivery_count) == (False, 1)


def test_the_lowest_number_is_the_most_urgent_as_in_celery(producer, consume, message, bodies):
    lane = consume()
    producer.publish(
        [message(f"{level}{name}", properties={"priority": level}) for name in "ab" for level in (9, 0, 6, 3)]
    )
    assert bodies(lane.claim(3)) == ["0a", "0b", "3a"]
    assert bodies(lane.claim(10)) == ["3b", "6a", "6b", "9a", "9b"]


def test_a_queue_with_a_backlog_does_not_keep_another_waiting(producer, consume, message, bodies):
    lane = consume("full", "empty", "slow")
    producer.publish([message(f"full{n}", "full") for n in range(100)] + [message("slow", "slow")])
    assert sorted(bodies(lane.claim(4))) == ["full0", "full1", "full2", "slow"]
    producer.publish([message("slow", "slow")])
    found = [bodies(lane.claim(1))[0] for _ in range(3)]
    assert "slow" in found


def test_queues_are_emptied_in_order_where_that_is_asked_for(producer, consume, message, bodies):
    lane = consume("first", "second", queue_order_strategy="priority")
    producer.publish([message("2", "second"), message("1", "first"), message("1", "first")])
    assert bodies(lane.claim(2)) == ["1", "1"]
    assert bodies(lane.claim(2)) == ["2"]


def test_what_is_settled_leaves_nothing_behind(producer, consume, message, left):
    lane = consume()
    producer.publish([message()] * 6)
    found = tags(lane.claim(6))
    lane.settle(Settlements(begin=found[:2]))
    assert left() == (0, 4, 2, 0)
    lane.settle(Settlements(ack=found[:3], reject=found[3:5]))
    assert left() == (0, 1, 0, 0)
    lane.settle(Settlements(begin=found[5:], ack=found[5:]))
    assert left() == (0, 0, 0, 0)


def test_a_requeued_message_is_back_at_its_place_and_a_redelivered_one_behind_all(producer, consume, message, bodies):
    lane = consume()
    producer.publish([message("1"), message("2"), message("3")])
    first, second = lane.claim(2)
    lane.settle(Settlements(requeue=[first.tag], redeliver=[second.tag]))
    again = lane.claim(3)
    assert bodies(again) == ["1", "3", "2"]
    assert [found.delivery_count for found in again] == [1, 1, 2]
    assert [found.redelivered for found in again] == [False, False, True]


def test_a_begun_message_can_be_given_back(producer, consume, message, bodies, left):
    lane = consume()
    producer.publish([message("1"), message("2")])
    found = tags(lane.claim(2))
    lane.settle(Settlements(begin=found))
    lane.settle(Settlements(requeue=found[:1], redeliver=found[1:]))
    assert left() == (2, 0, 0, 0)
    assert [each.delivery_count for each in lane.claim(2)] == [1, 2]


def test_settling_and_claiming_share_a_turn(producer, consume, message, bodies, left):
    lane = consume()
    producer.publish([message("1"), message("2")])
    first = lane.claim(1)
    assert bodies(lane.turn(Settlements(ack=tags(first)), 5)) == ["2"]
    assert lane.turn(Settlements(), 5) == []
    assert left() == (0, 1, 0, 0)


def test_unknown_tags_are_ignored(producer, consume, message, left):
    lane, other = consume(), consume()
    producer.publish([message("1"), message("2")])
    mine, theirs = tags(lane.claim(1)), tags(other.claim(1))
    lane.settle(Settlements(ack=[10**9], begin=[10**9], requeue=[10**9], redeliver=[10**9]))
    lane.settle(Settlements(ack=mine))
    lane.settle(Settlements(requeue=mine, redeliver=mine))
    assert left() == (0, 1, 0, 0)
    other.settle(Settlements(ack=theirs))
    assert left() == (0, 0, 0, 0)


def test_thousands_are_claimed_and_settled_at_once(producer, consume, message, left):
    lane = consume()
    producer.publish([message(str(n)) for n in range(2500)])
    found = lane.claim(2000)
    assert [each.body for each in found] == [str(n).encode() for n in range(2000)]
    lane.settle(Settlements(begin=tags(found)))
    assert left() == (500, 0, 2000, 0)
    lane.settle(Settlements(ack=tags(found)[::2], requeue=tags(found)[1::2]))
    assert left() == (1500, 0, 0, 0)
    assert [each.body for each in lane.claim(3)] == [b"1", b"3", b"5"]


def test_a_claim_that_fails_takes_nothing(producer, consume, message, server, prefix, left):
    lane = consume()
    producer.publish([message("1", properties={"priority": 0}), message("2", properties={"priority": 3})])
    server.set(f"{prefix}tasks\x06\x166", "not a list")
    with pytest.raises(OperationalError, match=r"WRONGTYPE.*global_keyprefix"):
        lane.claim(10)
    server.delete(f"{prefix}tasks\x06\x166")
    assert left() == (2, 0, 0, 0)
    assert len(lane.claim(10)) == 2


def test_all_messages_of_a_call_are_published_or_none(producer, message, server, prefix, connect):
    from celeriac_redis.broker import RedisTransport

    with pytest.raises(OperationalError, match="no queue is bound to the exchange 'nowhere'"):
        producer.publish([message("good"), message("bad", exchange="nowhere")])
    assert not server.exists(f"{prefix}tasks")
    lane = RedisTransport.producer_lane(connect())
    server.set(f"{prefix}other", "not a list")
    with pytest.raises(OperationalError, match="WRONGTYPE"):
        lane.publish([message("bad", "other")])
    lane.close()


def test_a_topic_that_nobody_listens_to_is_no_error(producer, message, server, prefix, caplog):
    queue = Queue("tasks", Exchange("topics", "topic"), routing_key="a.*")
    producer.publish([message("1", "a.b", exchange="topics", queue=queue)])
    producer.publish([message("2", "other", exchange="topics")] * 2)
    assert server.llen(f"{prefix}tasks") == 1
    assert caplog.text.count("are dropped, because no queue is bound for them") == 1


def test_what_many_have_ended_is_told_in_one_round_trip_with_the_next_claim(
    producer, consume, message, monkeypatch, left
):
    lane = consume()
    producer.publish([message(str(n)) for n in range(1500)])
    found = lane.claim(1000)
    lane.settle(Settlements(begin=tags(found)))
    round_trips = []
    exchange = Link._exchange
    monkeypatch.setattr(Link, "_exchange", lambda link, commands: round_trips.append(1) or exchange(link, commands))
    assert len(lane.turn(Settlements(ack=tags(found)), 400)) == 400
    assert (len(round_trips), left()) == (1, (100, 400, 0, 0))


def test_a_flushed_script_cache_is_no_trouble(producer, consume, message, server, bodies):
    lane = consume()
    producer.publish([message("1"), message("2")])
    server.script_flush()
    (first,) = lane.claim(1)
    server.script_flush()
    assert bodies(lane.turn(Settlements(ack=[first.tag]), 1)) == ["2"]
    server.script_flush()
    lane.renew()


def test_the_messages_of_an_expiring_queue_expire(producer, consume, message, server, prefix):
    queue = Queue("tasks", Exchange("tasks"), routing_key="tasks", expires=60)
    producer.publish([message("1", exchange="tasks", queue=queue)])
    assert 0 < server.pttl(f"{prefix}tasks") <= 60_000
    lane = consume(queue)
    server.persist(f"{prefix}tasks")
    lane.renew()
    assert server.pttl(f"{prefix}tasks") > 0


# --- held back --------------------------------------------------------------------------------------------------------


def test_a_message_that_is_not_due_leaves_the_queue_and_comes_back_in_time(producer, consume, message, loop, left):
    lane = consume()
    due = time.time() + 1
    producer.publish([message("later", eta=due)])
    assert lane.claim(1) == []
    assert left() == (0, 1, 0, 1)
    # There may be more behind what was put away.
    loop.turn_until(lambda: loop.calls == 2)
    assert lane.claim(1) == []
    assert lane._watch._due_at == due
    loop.turn_until(lambda: loop.calls == 3)
    (found,) = loop.turn_until(lambda: lane.claim(1))
    assert time.time() >= due
    lane.settle(Settlements(ack=[found.tag]))
    assert left() == (0, 0, 0, 0)


def test_a_moment_in_whole_seconds_is_a_moment(producer, consume, message, left):
    lane = consume()
    producer.publish([message("later", eta=int(time.time()) + 100), message("past", eta=1)])
    assert [found.body for found in (*lane.claim(5), *lane.claim(5))] == [b"past"]
    assert left() == (0, 2, 0, 1)


def test_the_first_message_for_later_that_a_new_server_holds_back_comes_in_time(own_server, connect, message, loop):
    # Given a server that knows no script yet, and a message that is the first to be put away there
    server = own_server()
    producer = RedisTransport.producer_lane(connect(server.url))
    lane = RedisTransport.consumer_lane(connect(server.url))
    lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    due = time.time() + 1
    producer.publish([message("later", eta=due)])
    assert lane.claim(10) == []

    # When nothing else happens, then the lane looks again in time
    loop.calm()
    assert lane._watch._due_at == due
    calls = loop.calls
    loop.turn_until(lambda: loop.calls > calls)
    (found,) = loop.turn_until(lambda: lane.claim(10))
    assert time.time() >= due
    lane.settle(Settlements(ack=[found.tag]))
    lane.close()
    producer.close()


def test_what_comes_due_is_first_and_in_order(producer, consume, message, loop, bodies):
    lane = consume()
    due = time.time() + 1
    producer.publish([message("second", eta=due + 0.02), message("first", eta=due)])
    assert lane.claim(5) == []
    producer.publish([message("waiting")])
    loop.turn_until(lambda: time.time() > due + 0.05)
    assert bodies(lane.claim(3)) == ["first", "second", "waiting"]


def test_another_worker_takes_what_comes_due(producer, consume, message, loop, bodies):
    lane, other = consume(), consume()
    producer.publish([message("later", eta=time.time() + 1)])
    assert lane.claim(1) == []
    lane.close()
    assert other.claim(1) == []
    assert bodies(loop.turn_until(lambda: other.claim(1))) == ["later"]


def test_a_thousand_that_are_not_due_do_not_hide_one_that_is(producer, consume, message, left, bodies):
    lane = consume()
    producer.publish([message(eta=time.time() + 1000 + n) for n in range(1000)])
    producer.publish([message("now")])
    found = []
    while not found:
        found = lane.claim(100)
    assert bodies(found) == ["now"]
    assert left() == (0, 1001, 0, 1000)


# --- being told -------------------------------------------------------------------------------------------------------


def test_the_loop_is_told_of_each_arrival_within_milliseconds(producer, consume, message, loop):
    lane = consume("tasks", "others")
    loop.turn_until(lambda: loop.calls)
    assert lane.claim(1) == []
    took = []
    for queue in ["tasks", "others", "tasks"] * 5:
        loop.calm()
        before, sent = loop.calls, time.perf_counter()
        producer.publish([message(b"1", queue, properties={"priority": 9})])
        loop.turn_until(lambda before=before: loop.calls > before)
        took.append(time.perf_counter() - sent)
        (found,) = lane.claim(5)
        lane.settle(Settlements(ack=[found.tag]))
        assert lane.claim(1) == []
    assert "poll" not in lane._watch._timers
    assert min(took) < 0.005  # the others may have waited for a processor


def test_nobody_polls(consume, loop, server):
    lane = consume()
    loop.turn_until(lambda: loop.calls)
    assert lane.claim(1) == []
    loop.calm()
    before = loop.calls

    def asked():
        (one,) = [each for each in server.client_list() if each["name"] == lane._claims.owner]
        return one["cmd"], one["argv-mem"], int(one["idle"])

    idle = asked()
    loop.turn_until(lambda: asked()[2] > idle[2])
    assert loop.calls == before


def test_a_busy_lane_is_not_told_of_what_comes_behind_its_backlog(producer, consume, message, loop):
    lane = consume()
    producer.publish([message()] * 10)
    loop.turn_until(lambda: loop.calls)
    lane.claim(2)
    loop.calm()
    before = loop.calls
    producer.publish([message()] * 10)
    loop.calm()
    assert loop.calls == before
    assert len(lane.claim(100)) == 18


def test_the_depth_counts_all_priorities(producer, consume, message):
    lane = consume()
    producer.publish([message(properties={"priority": level}) for level in (0, 3, 9)])
    assert lane.depth("tasks") == 3
    assert lane.depth("unknown") == 0


def test_a_queue_is_found_by_its_name_whatever_its_keys_begin_with(connect, producer, message):
    producer.publish([message("1"), message("2")])
    channel = connect().channel()
    assert channel.queue_declare("tasks", passive=True).message_count == 2
