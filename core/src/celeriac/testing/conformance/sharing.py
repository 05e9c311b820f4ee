"""What a broker must do when several consumers, threads and processes use it, and when one of them dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final

from celeriac.contracts.broker import LaneCapabilities, Settlements
from celeriac.testing.conformance.broker_harness import number_of
from celeriac.testing.conformance.claims import needs
from celeriac.testing.conformance.demands import demand
from celeriac.testing.conformance.forks import in_a_child
from celeriac.testing.conformance.loop import PATIENCE, TurningLoop
from celeriac.testing.conformance.suite import Level, Suite, level
from celeriac.testing.conformance.threads import together

if TYPE_CHECKING:
    from collections.abc import Collection

    from celeriac.contracts.broker import OutgoingMessage, ProducerLane

#: Seconds within which what a killed process held is there again, by default of every driver that has leases.
_LEASE_PATIENCE: Final = 60.0
#: So many messages a child and its parent publish at once, that answers would be mixed up if they shared a connection.
_EACH: Final = 100


class SharingChecks(Suite):
    """The part of `BrokerSuite` that is about who else is there."""

    def _publish_numbers(self, numbers: Collection[int]) -> None:
        self.harness.producer().publish([self.harness.message(number) for number in numbers])

    def test_each_queue_keeps_its_order(self) -> None:
        other = self.harness.another_queue(self.harness.queue.exchange, "other")
        messages = [self.harness.message(number) for number in range(40)]
        for message in messages[1::2]:
            message.queue, message.routing_key = other, "other"
        lane = self.harness.consumer(self.harness.queue, other)
        self.harness.producer().publish(messages)
        found = self.harness.claim(lane, 40, limit=6)
        for queue, expected in ((self.harness.queue.name, range(0, 40, 2)), (other.name, range(1, 40, 2))):
            came = [number_of(one) for one in found if one.queue == queue]
            demand(came == [*expected], f"a lane of two queues was to have {[*expected]} of one, and had {came}")

    def test_consumers_in_four_threads_share_no_message(self) -> None:
        count = 200
        self._publish_numbers(range(count))
        is_open, found = threading.Barrier(4), list[int]()

        def consume() -> None:
            with closing(TurningLoop()) as loop, closing(self.harness.consumer_on(loop)) as lane:
                is_open.wait(PATIENCE)
                monotonic_deadline = time.monotonic() + PATIENCE
                while len(found) < count and time.monotonic() < monotonic_deadline:
                    claimed = lane.claim(7)
                    lane.settle(Settlements(ack=[one.tag for one in claimed]))
                    found.extend(map(number_of, claimed))
                    if not claimed:
                        loop.turn()

        together([consume] * 4)
        demand(
            len(set(found)) == len(found), f"of {count} messages some went to two of four consumers: {sorted(found)}"
        )
        demand(len(found) == count, f"four consumers have had {len(found)} of {count} messages")

    def test_eight_threads_publish_at_once(self) -> None:
        lanes = [self.harness.producer() for _ in range(8)]

        def publish(thread: int) -> None:
            for number in range(10):
                lanes[thread].publish([self.harness.message(thread * 10 + number)])

        together([partial(publish, thread) for thread in range(len(lanes))])
        found = sorted(number_of(one) for one in self.harness.claim(self.harness.consumer(), 80))
        demand(found == list(range(80)), f"eight threads published 10 each, {len(set(found))} different ones came")

    @needs("other processes")
    def test_a_forked_child_leaves_its_parents_connections_alone(self) -> None:
        producer, lane = self.harness.producer(), self.harness.consumer()
        producer.publish([self.harness.message(0)])
        self.harness.claim(lane, 1)
        childs, parents = range(1, _EACH + 1), range(_EACH + 1, 2 * _EACH + 1)

        def in_child() -> None:
            with closing(self.harness.producer()) as own:
                _one_by_one(own, [self.harness.message(number) for number in childs])

        status = in_a_child(
            in_child, lambda: _one_by_one(producer, [self.harness.message(number) for number in parents])
        )
        demand(status == 0, f"a child could not publish by a lane of its own: it ended with {status}")
        found: list[int] = []
        while len(found) < 2 * _EACH:
            claimed = self.harness.claim(lane, 1) + lane.claim(2 * _EACH)
            lane.settle(Settlements(ack=[one.tag for one in claimed]))
            found = sorted([*found, *map(number_of, claimed)])
        demand(found == [*childs, *parents], f"a child and its parent published {_EACH} each, and {found} came")

    @level(Level.STRESS)
    @needs("LEASES")
    def test_claims_that_are_renewed_outlive_their_lease(self) -> None:
        lane = self.harness.consumer()
        demand(lane.renew_interval > 0, "it has leases, and never wants them renewed")
        self._publish_numbers(range(5))
        claimed = self.harness.claim(lane, 5)
        other = self.harness.consumer()
        # A lease is longer than the time between two renewals, and not so much longer that it would last for four.
        for _ in range(4):
            renew_at = time.monotonic() + lane.renew_interval
            while time.monotonic() < renew_at:
                self.harness.loop.turn()
            lane.renew()
            demand(not other.lost(), "claims that are renewed are told as those of a dead worker")
            demand(not other.claim(10), "claims that are renewed were given to another consumer")
        lane.settle(Settlements(ack=[one.tag for one in claimed]))
        demand(not self.harness.claim_nothing(other), "what was renewed and acked was delivered again")

    @level(Level.STRESS)
    @needs("other processes", "CLAIMS_RETURN")
    def test_what_a_killed_process_held_comes_back(self) -> None:
        self._publish_numbers(range(10))
        self._kill_a_holder()
        lane = self.harness.consumer()
        found: list[int] = []

        def enough() -> bool:
            if LaneCapabilities.BEGIN_TRACE in lane.capabilities:
                lane.lost()  # the worker asks every few seconds; this is when the dead are found
            claimed = lane.claim(100)
            demand(all(one.redelivered for one in claimed), "what was held by the dead says that it is new")
            found.extend(map(number_of, claimed))
            return len(found) >= 10

        self.harness.loop.until(enough, "what a killed process held comes back", _LEASE_PATIENCE)
        demand(sorted(found) == list(range(10)), f"a killed process held 0 to 9, and {sorted(found)} came back")

    def _kill_a_holder(self) -> None:
        """Have another process claim all that is there, and kill it."""
        options = json.dumps(dict(self.harness.app.conf.broker_transport_options))
        given = self.harness.queue.as_dict()
        queue = json.dumps({name: given[name] for name in ("name", "max_priority", "queue_arguments")})
        with subprocess.Popen(
            [sys.executable, "-m", "celeriac.testing.conformance.holder", queue, options],
            env={**os.environ, "CELERIAC_CONFORMANCE_URL": self.harness.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as holder:
            assert holder.stdout is not None
            said = holder.stdout.readline()
            holder.send_signal(signal.SIGKILL)
        demand(said.startswith(b"holds"), "another process could not claim: is the driver installed?")


def _one_by_one(lane: ProducerLane, messages: list[OutgoingMessage]) -> None:
    for message in messages:
        lane.publish([message])
