"""The lanes keep their contract, in one process."""

from __future__ import annotations

import logging
import time

import pytest
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from celeriac.contracts import LaneCapabilities, Settlements
from celeriac.exceptions import SerializationError


def tags(deliveries):
    return [delivery.tag for delivery in deliveries]


def test_a_message_arrives_as_it_was_sent(producer, consume, message):
    lane = consume()
    sent = message(
        b"\x00\xff",
        headers={"id": "a", "deep": {"list": [1, None, "ü"]}},
        properties={"correlation_id": "a", "priority": 3},
        content_type="application/data",
        content_encoding="binary",
    )

    producer.publish([sent])
    (found,) = lane.claim(10)

    assert found.body == b"\x00\xff"
    assert found.headers == sent.headers
    assert found.properties == sent.properties
    assert (found.content_type, found.content_encoding) == ("application/data", "binary")
    assert (found.queue, found.exchange, found.routing_key) == ("tasks", "", "tasks")
    assert (found.redelivered, found.delivery_count) == (False, 1)


def test_messages_come_in_the_order_of_their_publishing(producer, consume, message, bodies):
    lane = consume()
    producer.publish([message("1"), message("2")])
    producer.publish([message("3")])
    assert bodies(lane.claim(2)) == ["1", "2"]
    assert bodies(lane.claim(2)) == ["3"]
    assert lane.claim(2) == []


def test_a_higher_priority_is_handed_out_first(producer, consume, message, bodies):
    lane = consume()
    producer.publish(
        [
            message(f"{priority}{name}", properties={"priority": priority})
            for name in "ab"
            for priority in (0, 9, 4, 300)
        ]
    )
    producer.publish([message("none"), message("junk", properties={"priority": "high"})])
    assert bodies(lane.claim(4)) == ["9a", "300a", "9b", "300b"]
    assert bodies(lane.claim(10)) == ["4a", "4b", "0a", "0b", "none", "junk"]


def test_priority_and_age_count_across_queues(producer, consume, message, bodies):
    lane = consume("one", "two", "three")
    for number, (queue, priority) in enumerate([("one", 0), ("two", 5), ("one", 5), ("three", 0), ("two", 0)]):
        producer.publish([message(str(number), queue, properties={"priority": priority})])
    assert bodies(lane.claim(4)) == ["1", "2", "0", "3"]
    assert bodies(lane.claim(4)) == ["4"]


def test_what_is_acked_leaves_nothing_behind(producer, consume, message, tables):
    lane = consume()
    producer.publish([message()] * 5)
    found = tags(lane.claim(5))
    lane.settle(Settlements(begin=found[:2]))
    lane.settle(Settlements(ack=found[:3], reject=found[3:]))
    assert (tables().message, tables().ready, tables().claim) == (0, 0, 0)


def test_a_requeued_message_is_back_at_its_place_and_uncounted(producer, consume, message, bodies):
    lane = consume()
    producer.publish([message("1"), message("2"), message("3")])
    first, second = lane.claim(2)

    lane.settle(Settlements(requeue=[first.tag]))
    lane.settle(Settlements(redeliver=[second.tag]))
    again = lane.claim(3)

    assert bodies(again) == ["1", "2", "3"]
    assert [found.delivery_count for found in again] == [1, 2, 1]
    assert [found.redelivered for found in again] == [False, True, False]


def test_settling_and_claiming_share_a_turn(producer, consume, message, bodies, tables):
    lane = consume()
    producer.publish([message("1"), message("2")])
    first = lane.claim(1)
    assert bodies(lane.turn(Settlements(ack=tags(first)), 5)) == ["2"]
    assert tables().message == 1
    assert lane.turn(Settlements(), 5) == []


def test_a_message_given_back_in_a_turn_can_be_claimed_in_it(producer, consume, message, bodies, tables):
    lane = consume()
    producer.publish([message("1")])
    first = lane.claim(1)
    again = lane.turn(Settlements(requeue=tags(first)), 1)
    assert bodies(again) == ["1"]
    lane.settle(Settlements(ack=tags(again)))
    assert tables().message == 0


@pytest.mark.parametrize("statement", ["DELETE ON message", "INSERT ON claim"])
def test_a_turn_that_fails_has_done_nothing_and_can_be_repeated(
    producer, consume, message, bodies, tables, query, statement
):
    lane = consume()
    producer.publish([message("1"), message("2")])
    batch = Settlements(ack=tags(lane.claim(1)))
    query(f"CREATE TRIGGER fail BEFORE {statement} BEGIN SELECT RAISE(ABORT, 'as wanted'); END")
    with pytest.raises(OperationalError, match="as wanted"):
        lane.turn(batch, 5)
    assert (tables().claim, tables().ready, tables().message) == (1, 1, 2)
    query("DROP TRIGGER fail")
    assert bodies(lane.turn(batch, 5)) == ["2"]
    assert (tables().claim, tables().ready, tables().message) == (1, 0, 1)


def test_unknown_tags_are_ignored(producer, consume, message, tables):
    lane, other = consume(), consume()
    producer.publish([message("1"), message("2")])
    mine, theirs = lane.claim(1), other.claim(1)
    lane.settle(Settlements(ack=[*tags(theirs), 10**9], begin=tags(theirs), requeue=tags(theirs)))
    lane.settle(Settlements(ack=tags(mine)))
    lane.settle(Settlements(requeue=tags(mine), redeliver=tags(mine)))
    assert (tables().message, tables().claim, tables().ready) == (1, 1, 0)


def test_two_lanes_never_share_a_message(producer, consume, message, bodies):
    lanes = [consume(), consume()]
    producer.publish([message(str(n)) for n in range(20)])
    found = [body for _ in range(4) for lane in lanes for body in bodies(lane.claim(3))]
    assert sorted(found, key=int) == [str(n) for n in range(20)]


def test_all_messages_of_a_call_are_published_or_none(producer, consume, message, tables):
    lane = consume()
    with pytest.raises(SerializationError, match="object"):
        producer.publish([message("good"), message("bad", headers={"id": object()})])
    assert lane.claim(5) == []
    assert tables().message == 0


def test_nothing_to_publish_is_no_error(producer, tables):
    producer.publish([])
    assert tables().message == 0


# --- held back --------------------------------------------------------------------------------------------------------


def test_a_message_with_an_eta_stays_in_the_file_until_it_is_due(producer, consume, message, loop, bodies, tables):
    lane = consume()
    due = time.time() + 0.3
    producer.publish([message("later", eta=due)])
    assert lane.claim(1) == []
    assert tables().delayed == 1

    found = loop.turn_until(lambda: lane.claim(1))

    assert bodies(found) == ["later"]
    assert 0 <= time.time() - due < 0.4
    assert tables().delayed == 0


def test_the_loop_is_told_when_a_message_becomes_due(producer, consume, message, loop):
    consume()
    loop.turn_until(lambda: loop.calls)
    due = time.time() + 0.25
    producer.publish([message("later", eta=due + 60), message("sooner", eta=due)])
    loop.turn_until(lambda: loop.calls == 2)  # the bell

    loop.turn_until(lambda: loop.calls > 2)

    assert 0 <= time.time() - due < 0.4


def test_an_eta_in_the_past_is_now(producer, consume, message, bodies):
    lane = consume()
    producer.publish([message("1", eta=time.time() - 5)])
    assert bodies(lane.claim(1)) == ["1"]


def test_due_messages_obey_priorities(producer, consume, message, loop, bodies):
    lane = consume()
    due = time.time() + 0.1
    producer.publish([message("low", eta=due), message("high", eta=due, properties={"priority": 9})])
    loop.turn_until(lambda: lane.depth("tasks") or time.time() > due + 0.05)
    assert bodies(lane.claim(2)) == ["high", "low"]


def test_a_claim_does_not_look_at_what_is_held_back(producer, consume, message, query):
    lane = consume()
    producer.publish([message(eta=time.time() + 1000 + n) for n in range(1000)])
    producer.publish([message()])
    plan = query("EXPLAIN QUERY PLAN SELECT 1 FROM delayed WHERE queue = 'tasks' AND eta <= 1 LIMIT 1")
    assert "USING PRIMARY KEY (queue=? AND eta<?)" in plan[0][3]
    assert len(lane.claim(10)) == 1


def test_expired_messages_are_dropped_unless_the_worker_can_tell(producer, consume, message, bodies, tables):
    lane = consume()
    producer.publish(
        [
            message("gone", properties={"expiration": "0"}),
            message(
                "task", headers={"task": "add", "expires": "2020-01-01T00:00:00+00:00"}, properties={"expiration": "0"}
            ),
            message("alive", properties={"expiration": "60000"}),
        ]
    )
    assert bodies(lane.claim(5)) == ["task", "alive"]
    assert tables().message == 2


def test_a_claim_goes_on_past_what_has_expired(producer, consume, message, bodies):
    lane = consume()
    producer.publish([message("gone", properties={"expiration": "0"})] * 30 + [message("alive")])
    assert bodies(lane.claim(5)) == ["alive"]


# --- being told -------------------------------------------------------------------------------------------------------


def test_messages_that_are_there_already_count_as_arrived(producer, consume, message, loop):
    producer.publish([message()])
    consume()
    loop.turn_until(lambda: loop.calls)


def test_the_loop_is_told_of_each_arrival(producer, consume, message, loop):
    lane = consume()
    for _ in range(3):
        before = loop.calls
        producer.publish([message()])
        loop.turn_until(lambda before=before: loop.calls > before)
        assert len(lane.claim(5)) == 1


def test_the_loop_is_told_of_what_is_given_back(producer, consume, message, loop):
    lane = consume()
    producer.publish([message()])
    found = lane.claim(1)
    loop.turn_until(lambda: loop.calls >= 2)
    before = loop.calls
    lane.settle(Settlements(requeue=tags(found)))
    loop.turn_until(lambda: loop.calls > before)


def test_a_lost_datagram_costs_half_a_second(producer, consume, message, loop, path):
    consume()
    loop.turn_until(lambda: loop.calls)
    for socket in path.with_name("queue.db.wake").iterdir():
        socket.unlink()
    before, sent = loop.calls, time.monotonic()
    producer.publish([message()])
    loop.turn_until(lambda: loop.calls > before)
    assert time.monotonic() - sent < 3


def test_a_closed_lane_says_nothing_more(producer, consume, message, loop):
    lane = consume()
    lane.close()
    producer.publish([message()])
    said: list[bool] = []
    loop.hub.call_later(0.05, said.append, True)
    loop.turn_until(lambda: said)
    assert loop.calls == 0


# --- closing ----------------------------------------------------------------------------------------------------------


def test_closing_gives_back_what_was_not_begun(producer, consume, message, bodies, tables):
    lane = consume()
    producer.publish([message("1"), message("2"), message("3")])
    begun, _, _ = lane.claim(3)
    lane.settle(Settlements(begin=[begun.tag]))

    lane.close()

    other = consume()
    again = other.claim(5)
    assert bodies(again) == ["2", "3"]
    assert [found.delivery_count for found in again] == [1, 1]
    assert bodies(other.lost()) == ["1"]
    assert tables().owner == 1


def test_lanes_can_be_closed_twice_and_unopened(connect, consume, producer):
    from celeriac_sqlite.broker import SqliteTransport

    SqliteTransport.consumer_lane(connect()).close()
    lane = consume()
    lane.close()
    lane.close()
    producer.close()
    producer.close()


def test_closing_removes_the_socket(consume, path):
    lane = consume()
    directory = path.with_name("queue.db.wake")
    assert len(list(directory.iterdir())) == 1
    lane.close()
    assert list(directory.iterdir()) == []


# --- leases -----------------------------------------------------------------------------------------------------------


def expire_all(query):
    query("UPDATE owner SET lease_until = -1")


def test_what_was_claimed_comes_back_when_the_lease_has_run_out(producer, consume, message, query, loop):
    lane = consume()
    producer.publish([message("1"), message("2")])
    begun, _ = lane.claim(2)
    lane.settle(Settlements(begin=[begun.tag]))
    expire_all(query)

    other = consume()
    (again,) = other.claim(5)
    (lost,) = other.lost()

    assert (again.body, again.redelivered, again.delivery_count) == (b"2", True, 2)
    assert (lost.body, lost.delivery_count) == (b"1", 1)
    assert other.lost() == []


def test_a_renewed_lease_does_not_run_out(producer, consume, message, query):
    lane = consume()
    producer.publish([message("1")])
    lane.claim(1)
    query("UPDATE owner SET lease_until = lease_until - 29")
    lane.renew()
    assert query("SELECT lease_until FROM owner")[0][0] > time.monotonic() + 29
    assert consume().claim(5) == []


def test_renewing_is_one_row_however_many_claims(producer, consume, message, query):
    lane = consume()
    producer.publish([message()] * 500)
    lane.claim(500)
    lane.renew()
    assert query("SELECT count(*) FROM owner") == [(1,)]
    assert lane.renew_interval == 10


def test_an_owner_that_was_taken_for_dead_takes_back_what_nobody_has_taken(
    producer, consume, message, query, caplog, bodies, tables
):
    lane = consume()
    producer.publish([message(str(n)) for n in range(4)])
    found = lane.claim(4)
    lane.settle(Settlements(begin=tags(found[:1])))
    expire_all(query)
    other = consume()
    taken = other.claim(1)

    with caplog.at_level(logging.WARNING, "celeriac.sqlite"):
        lane.renew()

    assert "1 of them have been taken by others" in caplog.text
    assert bodies(taken) == ["1"]
    assert other.claim(5) == []
    lane.settle(Settlements(ack=tags(found)))
    assert tables().message == 1
    other.settle(Settlements(ack=tags(taken)))
    assert tables().message == 0


def test_a_tag_is_never_used_again(producer, consume, message):
    lane = consume()
    seen = set()
    for _ in range(5):
        producer.publish([message()])
        (found,) = lane.claim(1)
        assert found.tag not in seen
        seen.add(found.tag)
        lane.settle(Settlements(ack=[found.tag]))


# --- exchanges --------------------------------------------------------------------------------------------------------


def test_a_direct_exchange_declares_the_queue_that_comes_with_the_message(producer, consume, message, bodies):
    queue = Queue("tasks", Exchange("work", "direct"), routing_key="key")
    producer.publish([message("1", "key", exchange="work", queue=queue)])
    assert bodies(consume(queue).claim(5)) == ["1"]


def test_a_deleted_queue_is_declared_again(producer, consume, message, bodies, connect):
    queue = Queue("tasks", Exchange("work", "direct"), routing_key="key")
    producer.publish([message("1", "key", exchange="work", queue=queue)])
    queue.bind(connect().default_channel).delete()
    producer.publish([message("2", "key", exchange="work", queue=queue)])
    assert bodies(consume(queue).claim(5)) == ["2"]


def test_a_fanout_exchange_copies_to_every_queue(producer, consume, message, bodies):
    exchange = Exchange("all", "fanout")
    first, second = consume(Queue("one", exchange)), consume(Queue("two", exchange))
    producer.publish([message("1", "", exchange="all")])
    (one,), (two,) = first.claim(5), second.claim(5)
    assert (one.body, two.body) == (b"1", b"1")
    assert one.tag != two.tag


def test_bindings_made_by_another_connection_are_seen_at_once(producer, consume, message, bodies):
    exchange = Exchange("topics", "topic")
    first = consume(Queue("one", exchange, routing_key="a.*"))
    producer.publish([message("1", "a.b", exchange="topics")])
    second = consume(Queue("two", exchange, routing_key="#"))
    producer.publish([message("2", "a.b", exchange="topics")])
    assert bodies(first.claim(5)) == ["1", "2"]
    assert bodies(second.claim(5)) == ["2"]


def test_what_no_queue_is_bound_for_is_dropped_and_said_once(producer, message, caplog, tables):
    with caplog.at_level(logging.WARNING, "celeriac.sqlite"):
        producer.publish([message("1", "nowhere", exchange="work")] * 2)
        producer.publish([message("1", "nowhere", exchange="work")])
    assert [record.message for record in caplog.records] == [
        "messages to exchange 'work' with routing key 'nowhere' are dropped, because no queue is bound for them"
    ]
    assert tables().message == 0


def test_events_that_nobody_listens_to_are_no_news(producer, message, caplog):
    event = message("1", "worker.heartbeat", exchange="events", properties={"delivery_mode": 1})
    with caplog.at_level(logging.WARNING, "celeriac.sqlite"):
        producer.publish([event])
    assert caplog.records == []


def test_a_declaration_that_was_rolled_back_is_made_again(producer, consume, message, bodies, query):
    queue = Queue("tasks", Exchange("work", "direct"), routing_key="key")
    query("CREATE TRIGGER full BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(Exception, match="no"):
        producer.publish([message("1", "key", exchange="work", queue=queue)])
    query("DROP TRIGGER full")
    assert query("SELECT count(*) FROM binding") == [(0,)]
    producer.publish([message("2", "key", exchange="work", queue=queue)])
    assert bodies(consume(queue).claim(5)) == ["2"]


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_the_depth_is_what_is_ready(producer, consume, message):
    lane = consume()
    producer.publish([message()] * 3 + [message(eta=time.time() + 60)])
    lane.claim(1)
    assert lane.depth("tasks") == 2
    assert lane.depth("nothing") == 0


def test_a_lane_can_do_everything(consume):
    assert consume().capabilities == ~LaneCapabilities.NONE


@pytest.mark.parametrize("headers", ["{", "{},{}", "[]", "7", ""])
def test_a_damaged_row_is_handed_out_empty_and_holds_up_nothing(producer, consume, message, query, headers):
    lane = consume()
    producer.publish([message("1"), message("2")])
    query(f"UPDATE message SET headers = '{headers}' WHERE id = 1")
    first, second = lane.claim(2)
    assert (first.body, first.headers) == (b"1", {})
    assert (second.body, second.headers) == (b"2", {"id": "1"})


def test_an_idle_queue_with_a_limit_goes_away(consume, producer, message, query, loop):
    consume("other")
    consume(Queue("tasks", expires=60)).close()
    producer.publish([message()])
    query("UPDATE queue SET used = used - 61 WHERE name = 'tasks'")
    loop.turn_until(lambda: query("SELECT name FROM queue") == [("other",)])
    assert query("SELECT count(*) FROM message") == [(0,)]


def test_messages_of_a_queue_with_a_limit_expire(consume, producer, message, query):
    lane = consume(Queue("tasks", message_ttl=5))
    producer.publish([message("1")])
    assert 0 < query("SELECT expires FROM message")[0][0] - time.time() <= 5
    query("UPDATE message SET expires = 1")
    assert lane.claim(5) == []
