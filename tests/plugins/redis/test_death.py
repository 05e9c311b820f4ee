"""What a worker holds when it dies is found, each message once."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from celeriac.contracts import Settlements

PARTY = Path(__file__).with_name("party.py")


@pytest.fixture
def holder(spawn, url, prefix):
    """Return ``holder(begun, queue)``: another process that holds all messages of a queue, with so many begun."""

    def start(begun, queue="tasks"):
        process = spawn(sys.executable, PARTY, url, prefix, queue, str(begun))
        process.wait_for_output("holds")
        return process

    return start


def test_claims_of_a_killed_worker_come_back_and_what_it_had_begun_is_told_once(
    producer, consume, message, holder, bodies, wait_until, server, prefix
):
    producer.publish([message(str(n)) for n in range(10)])
    process = holder(4)
    lanes = [consume(lease=1), consume(lease=1)]
    assert [lane.lost() for lane in lanes] == [[], []]

    process.kill()

    lost = []
    wait_until(lambda: lost.extend(each for lane in lanes for each in lane.lost()) or len(lost) >= 4)
    assert sorted(bodies(lost)) == ["0", "1", "2", "3"]
    found = lanes[0].claim(100)
    assert bodies(found) == ["4", "5", "6", "7", "8", "9"] or sorted(bodies(found)) == ["4", "5", "6", "7", "8", "9"]
    assert {(each.redelivered, each.delivery_count) for each in found} == {(True, 2)}
    assert [lane.lost() for lane in lanes] == [[], []]
    for lane in lanes:
        lane.settle(Settlements(ack=[each.tag for each in lost + found]))
    assert set(server.scan_iter(f"{prefix}*")) == {f"{prefix}celeriac.owners".encode()}
    assert server.zcard(f"{prefix}celeriac.owners") == 2


def test_a_worker_that_is_silent_but_connected_lives(producer, consume, message, holder, server, prefix, wait_until):
    producer.publish([message("1"), message("2")])
    process = holder(1)
    lane = consume(lease=1)
    process.signal(signal.SIGSTOP)
    (owner,) = [
        each for each in server.zrange(f"{prefix}celeriac.owners", 0, -1) if each != lane._claims.owner.encode()
    ]
    server.zadd(f"{prefix}celeriac.owners", {owner: time.time() - 100})
    assert lane.lost() == []
    assert lane.claim(5) == []
    process.kill()
    assert len(wait_until(lane.lost)) == 1


def test_what_is_lost_waits_for_a_worker_that_has_its_queue(producer, consume, message, holder, bodies, wait_until):
    producer.publish([message("1", "special"), message("2", "special")])
    process = holder(1, "special")
    other = consume(lease=1)
    process.kill()
    wait_until(lambda: other.lost() or other.depth("special"))
    assert other.depth("special") == 1
    assert other.lost() == []
    lane = consume("special", lease=1)
    assert bodies(lane.lost()) == ["1"]
    assert lane.lost() == []


def test_what_an_heir_has_not_settled_is_inherited_again(producer, consume, message, holder, bodies, wait_until):
    producer.publish([message("1"), message("2")])
    process = holder(2)
    heir = consume(lease=1)
    process.kill()
    assert len(wait_until(heir.lost)) == 2
    heir.close()
    assert sorted(bodies(consume(lease=1).lost())) == ["1", "2"]


def test_many_lost_messages_are_told_in_portions(producer, consume, message, holder, wait_until, server, prefix):
    producer.publish([message(str(n)) for n in range(250)])
    first, second = holder(100), holder(100)
    lane = consume(lease=1)
    first.kill()
    second.kill()
    lost = []
    wait_until(lambda: lost.extend(lane.lost()) or len(lost) >= 200)
    assert len({each.body for each in lost}) == 200
    lane.settle(Settlements(ack=[each.tag for each in lost]))
    wait_until(lambda: not lane.lost() and server.zcard(f"{prefix}celeriac.owners") == 1)
    assert lane.depth("tasks") == 50


def test_renewing_keeps_claims_from_workers_of_celery(producer, consume, message, server, prefix):
    lane = consume()
    producer.publish([message(), message()])
    found = lane.claim(2)
    for tag in server.hkeys(f"{prefix}unacked"):
        server.zadd(f"{prefix}unacked_index", {tag: 1})
    lane.settle(Settlements(ack=[found[0].tag]))
    for renew in (lane.renew, lane.keeper()):
        server.zadd(f"{prefix}unacked_index", dict.fromkeys(server.hkeys(f"{prefix}unacked"), 1))
        renew()
        ((_, since),) = server.zrange(f"{prefix}unacked_index", 0, -1, withscores=True)
        assert abs(time.time() - since) < 60


def test_closing_gives_back_what_was_not_begun_and_leaves_the_rest_to_be_found(producer, consume, message, bodies):
    lane, other = consume(), consume()
    producer.publish([message(str(n)) for n in range(3)])
    first, *_ = lane.claim(3)
    lane.settle(Settlements(begin=[first.tag]))
    lane.close()
    again = other.claim(5)
    assert bodies(again) == ["1", "2"]
    assert {each.delivery_count for each in again} == {1}
    assert bodies(other.lost()) == ["0"]
