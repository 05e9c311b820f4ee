"""What a broker must do when connections are lost, processes fork and are killed, and many publish at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

from celeriac.contracts.broker import LaneCapabilities, Settlements
from celeriac.testing.conformance.broker_harness import number_of
from celeriac.testing.conformance.forks import in_a_child
from celeriac.testing.conformance.suite import Level, NotClaimed, Suite, demand, fail, level

if TYPE_CHECKING:
    from celeriac.contracts.broker import ConsumerLane, OutgoingMessage

#: Seconds after which a publish that neither returns nor raises is taken to do so never.
_PATIENCE: Final = 20.0
#: Seconds within which what a killed process held is there again, by default of every driver that has leases.
_LEASE_PATIENCE: Final = 60.0


class ConnectionChecks(Suite):
    """The part of `BrokerSuite` that is about what goes wrong on the way."""

    @property
    def _errors(self) -> tuple[type[BaseException], ...]:
        errors: tuple[type[BaseException], ...] = self.harness.app.connection_errors
        return errors

    def _messages(self, count: int) -> list[OutgoingMessage]:
        return [self.harness.message(number) for number in range(count)]

    def _claim_all(self, lane: ConsumerLane, numbers: set[int], patience: float = 20.0) -> set[int]:
        """Claim and ack until all of these have come; a lane that raises is replaced, as the worker does."""
        found: set[int] = set()

        def enough() -> bool:
            nonlocal lane
            try:
                deliveries = lane.claim(100)
                found.update(map(number_of, deliveries))
                lane.settle(Settlements(ack=[delivery.tag for delivery in deliveries]))
            except self._errors:
                lane.close()
                lane = self.harness.consumer()
            return found >= numbers

        self.harness.loop.until(enough, f"messages {sorted(numbers)} come after the connection was cut", patience)
        return found

    def _published(self, *messages: OutgoingMessage) -> bool:
        """Whether a publish, by a new lane, returned; the test fails if it neither returns nor raises."""
        lane = self.harness.producer()
        outcome: list[BaseException | None] = []

        def publish() -> None:
            try:
                lane.publish(messages)
            except BaseException as error:  # noqa: BLE001  # carried to the thread that judges
                outcome.append(error)
            else:
                outcome.append(None)

        thread = threading.Thread(target=publish, daemon=True)
        thread.start()
        thread.join(_PATIENCE)
        if not outcome:
            fail(f"a publish over a lost connection has neither returned nor raised after {_PATIENCE:g} s")
        (error,) = outcome
        if error is not None and not isinstance(error, self._errors):
            fail(f"a publish over a lost connection raised {error!r}, which is none of the connection errors")
        return error is None

    def test_a_cut_between_claims_loses_nothing(self) -> None:
        proxy = self.harness.proxy()
        self.harness.producer().publish(self._messages(20))
        lane = self.harness.consumer()
        claimed = {number_of(one) for one in self.harness.claim(lane, 5)}
        demand(len(claimed) == 5, "five were claimed")
        proxy.cut(reset=True)
        # Whether the five come again is the broker's affair: they were claimed, and not settled.
        self._claim_all(lane, set(range(20)) - claimed)

    def test_a_claim_whose_answer_is_lost_loses_nothing(self) -> None:
        proxy = self.harness.proxy()
        lane = self.harness.consumer()
        self.harness.claim_nothing(lane)
        self.harness.producer().publish(self._messages(20))
        proxy.lose_answers()
        self._claim_all(lane, set(range(20)))

    def test_a_settlement_that_is_cut_off_loses_nothing(self) -> None:
        proxy = self.harness.proxy()
        self.harness.producer().publish(self._messages(10))
        lane = self.harness.consumer()
        claimed = self.harness.claim(lane, 5)
        proxy.cut()
        try:
            lane.settle(Settlements(ack=[one.tag for one in claimed]))
        except self._errors:
            lane.close()
            lane = self.harness.consumer()
        self._claim_all(lane, set(range(10)) - set(map(number_of, claimed)))

    @level(Level.RECOMMENDED)
    def test_what_was_begun_before_a_cut_never_comes_again(self) -> None:
        proxy = self.harness.proxy()
        self.harness.producer().publish(self._messages(10))
        lane = self.harness.consumer()
        if LaneCapabilities.BEGIN_TRACE not in lane.capabilities:
            raise NotClaimed("it does not claim BEGIN_TRACE")
        claimed = self.harness.claim(lane, 5)
        begun = set(map(number_of, claimed))
        lane.settle(Settlements(begin=[one.tag for one in claimed]))
        proxy.cut(reset=True)
        found = self._claim_all(lane, set(range(10)) - begun)
        demand(not found & begun, f"{sorted(found & begun)} were begun, and came again after the connection was cut")

    def test_arrival_is_announced_after_a_cut(self) -> None:
        proxy = self.harness.proxy()
        lane = self.harness.consumer()
        self.harness.claim_nothing(lane)
        proxy.cut()
        self._claim_all(lane, set(), 5.0)
        self.harness.claim_nothing(lane)
        before = self.harness.rings
        demand(self._published(self.harness.message(1)), "a publish after the cut was refused")
        self.harness.loop.until(lambda: self.harness.rings > before, "on_ready is called after the connection was cut")
        self._claim_all(lane, {1})

    def test_a_publish_that_is_cut_off_arrives_or_raises(self) -> None:
        proxy = self.harness.proxy()
        demand(self._published(self.harness.message(0)), "a publish was refused")
        expected = {0, 9}
        for number in range(1, 5):
            proxy.lose_answers(number)
            if self._published(self.harness.message(number)):
                expected.add(number)
            proxy.lose_answers(0)
        demand(self._published(self.harness.message(9)), "a publish after the cuts was refused")
        self._claim_all(self.harness.consumer(), expected)

    def test_a_server_that_is_away_is_an_error_and_then_found_again(self) -> None:
        proxy = self.harness.proxy()
        demand(self._published(self.harness.message(0)), "a publish was refused")
        proxy.refuse()
        demand(not self._published(self.harness.message(1)), "a publish to a server that is away returned")
        proxy.resume()
        demand(self._published(self.harness.message(2)), "a publish to a server that is back was refused")
        self._claim_all(self.harness.consumer(), {0, 2})

    def test_eight_threads_publish_at_once(self) -> None:
        lanes = [self.harness.producer() for _ in range(8)]
        errors: list[BaseException] = []

        def publish(thread: int) -> None:
            try:
                for number in range(10):
                    lanes[thread].publish([self.harness.message(thread * 10 + number)])
            except BaseException as error:  # noqa: BLE001  # carried to the thread that judges
                errors.append(error)

        threads = [threading.Thread(target=publish, args=(thread,)) for thread in range(len(lanes))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        demand(not errors, f"eight threads published: {errors[:1]!r}")
        found = sorted(number_of(one) for one in self.harness.claim(self.harness.consumer(), 80))
        demand(found == list(range(80)), f"eight threads published 10 each, {len(set(found))} different ones came")

    def _shared(self) -> None:
        if not self.harness.is_shared:
            raise NotClaimed("its messages are in this process alone")

    def test_a_forked_child_leaves_its_parents_connections_alone(self) -> None:
        self._shared()
        if not hasattr(os, "fork"):
            raise NotClaimed("this system cannot fork")
        producer, lane = self.harness.producer(), self.harness.consumer()
        producer.publish([self.harness.message(0)])
        self.harness.claim(lane, 1)
        status = in_a_child(lambda: self.harness.producer().publish([self.harness.message(1)]))
        demand(status == 0, "a child could not publish by a lane of its own")
        producer.publish([self.harness.message(2)])
        found = [number_of(one) for one in self.harness.claim(lane, 2)]
        demand(sorted(found) == [1, 2], f"a child published 1, its parent 2; {found} came")

    @level(Level.STRESS)
    def test_what_a_killed_process_held_comes_back(self) -> None:
        self._shared()
        lane = self.harness.consumer()
        if LaneCapabilities.LEASES not in lane.capabilities:
            raise NotClaimed("it does not claim LEASES")
        lane.close()
        self.harness.producer().publish(self._messages(10))
        options = json.dumps(dict(self.harness.app.conf.broker_transport_options))
        with subprocess.Popen(
            [sys.executable, "-m", "celeriac.testing.conformance.holder", self.harness.queue.name, options],
            env={**os.environ, "CELERIAC_CONFORMANCE_URL": self.harness.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as holder:
            assert holder.stdout is not None
            said = holder.stdout.readline()
            holder.send_signal(signal.SIGKILL)
        if not said.startswith(b"holds"):
            raise NotClaimed("another process does not find the driver: it is not installed")
        lane = self.harness.consumer()
        found: set[int] = set()

        def enough() -> bool:
            if LaneCapabilities.BEGIN_TRACE in lane.capabilities:
                lane.lost()  # the worker asks every few seconds; this is when the dead are found
            found.update(number_of(one) for one in lane.claim(100))
            return len(found) == 10

        self.harness.loop.until(enough, "what a killed process held comes back", _LEASE_PATIENCE)
