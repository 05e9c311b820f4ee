"""Several processes on one file: nothing twice, nothing lost, also when they are killed."""

from __future__ import annotations

import random
import signal
import statistics
import time
from pathlib import Path

import pytest

from celeriac.contracts import Settlements


def kill(spawned):
    spawned.signal(signal.SIGKILL)
    spawned.wait()


def test_processes_that_claim_at_once_share_everything_and_nothing_twice(producer, message, party, tables):
    producer.publish([message(str(n)) for n in range(3000)])
    workers = [party("drain", 3000) for _ in range(3)]
    assert [worker.wait(40) for worker in workers] == [0, 0, 0]
    claimed = [line for worker in workers for line in worker.output().split()]
    assert sorted(claimed, key=int) == [str(n) for n in range(3000)]
    assert tables().message == 0


def test_claims_of_a_killed_process_come_back_at_once(producer, consume, message, party, loop, bodies):
    producer.publish([message(str(n)) for n in range(5)])
    holder = party("hold", 5, 2)
    holder.wait_for_output("holding 5")
    lane = consume()
    assert lane.claim(5) == []
    assert lane.lost() == []

    kill(holder)
    again = loop.turn_until(lambda: lane.claim(5), timeout=5)

    assert bodies(again) == ["2", "3", "4"]
    assert all(found.redelivered and found.delivery_count == 2 for found in again)
    assert bodies(lane.lost()) == ["0", "1"]
    assert lane.lost() == []


def test_who_starts_later_finds_what_the_dead_left(producer, consume, message, party, bodies):
    producer.publish([message(str(n)) for n in range(4)])
    holder = party("hold", 4, 1)
    holder.wait_for_output("holding 4")
    kill(holder)

    lane = consume()

    assert bodies(lane.claim(9)) == ["1", "2", "3"]
    assert bodies(lane.lost()) == ["0"]


def test_a_lost_message_whose_finder_dies_is_lost_again(producer, consume, message, party, bodies):
    producer.publish([message("1")])
    holder = party("hold", 1, 1)
    holder.wait_for_output("holding 1")
    kill(holder)
    finder = consume()
    assert bodies(finder.lost()) == ["1"]
    finder.close()
    assert bodies(consume().lost()) == ["1"]


def test_a_stopped_process_loses_its_claims_when_its_lease_runs_out(
    producer, consume, message, party, loop, bodies, query
):
    producer.publish([message("1")])
    holder = party("hold", 1, 0)
    holder.wait_for_output("holding 1")
    holder.signal(signal.SIGSTOP)
    lane = consume()
    # As if the time had passed.
    query("UPDATE owner SET lease_until = ? WHERE pid = ?", time.monotonic() - 1, holder.pid)
    assert bodies(loop.turn_until(lambda: lane.claim(1), timeout=5)) == ["1"]


@pytest.mark.slow
@pytest.mark.parametrize("role", [("publish", 3), ("churn",)])
def test_a_process_killed_while_it_writes_breaks_nothing(producer, consume, message, party, query, tables, role):
    consume("other")  # somebody keeps the log alive, as a worker would
    producer.publish([message(str(n)) for n in range(200)] if role == ("churn",) else [])
    published = 0
    for _ in range(8):
        spawned = party(*role)
        spawned.wait_for_output("churning" if role == ("churn",) else "\n")
        time.sleep(random.uniform(0, 0.1))  # the moment is the point: anywhere in a transaction
        kill(spawned)
        published += int((spawned.output().split() or ["0"])[-1]) if role[0] == "publish" else 0
        assert query("PRAGMA integrity_check") == [("ok",)]

    found = tables()
    assert found.ready + found.delayed + found.claim == found.message
    if role[0] == "publish":
        assert found.message >= published
        assert found.message % 3 == 0  # all of a call or none
        return
    lane = consume()
    left = [delivery.tag for delivery in lane.claim(1000) + lane.lost()]
    assert len(left) == tables().message
    lane.settle(Settlements(ack=left))
    assert tables().message == 0


def test_what_is_published_to_a_waiting_process_arrives_within_milliseconds(producer, message, party, wait_until):
    worker = party("answer")
    worker.wait_for_output("ready")
    for number in range(50):
        producer.publish([message(repr(time.monotonic()))])
        wait_until(lambda number=number: worker.output().count("\n") > number + 1)
    ages = [float(line) for line in worker.output().split()[1:]]
    assert len(ages) == 50
    assert statistics.median(ages) < 20


def test_an_idle_worker_sleeps(party):
    worker = party("answer")
    worker.wait_for_output("ready")

    def cpu_ticks():
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = cpu_ticks()
    time.sleep(1.0)  # the time in which it does nothing is what is measured
    assert cpu_ticks() - before <= 3
