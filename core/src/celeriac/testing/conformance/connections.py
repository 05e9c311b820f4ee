"""What a broker must do when connections are lost, at any moment, or stall."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts.broker import Settlements
from celeriac.testing.conformance.broker_harness import number_of
from celeriac.testing.conformance.claims import needs
from celeriac.testing.conformance.demands import demand, fail
from celeriac.testing.conformance.suite import Level, Suite, level

if TYPE_CHECKING:
    from collections.abc import Callable

    from celeriac.contracts.broker import ConsumerLane, OutgoingMessage, ProducerLane

#: Seconds after which a publish that neither returns nor raises is taken to do so never.
_PATIENCE: Final = 20.0
#: Seconds for which a connection stalls.
_STALL: Final = 0.2
#: The same for a server that never answers; longer than drivers wait by default.
_GIVEN_UP: Final = 75.0


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

    def _published(
        self, *messages: OutgoingMessage, by: ProducerLane | None = None, patience: float = _PATIENCE
    ) -> bool:
        """Whether a publish, `by` that lane or a new one, returned; the test fails if it neither returns nor raises."""
        lane = by or self.harness.producer()
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
        thread.join(patience)
        if not outcome:
            fail(f"a publish over a lost connection has neither returned nor raised after {patience:g} s")
        (error,) = outcome
        if error is not None and not isinstance(error, self._errors):
            fail(f"a publish over a lost connection raised {error!r}, which is none of the connection errors")
        return error is None

    @needs("one TCP server")
    def test_a_cut_between_claims_loses_nothing(self) -> None:
        proxy = self.harness.proxy()
        for reset in (False, True):
            self.harness.producer().publish(self._messages(20))
            lane = self.harness.consumer()
            claimed = {number_of(one) for one in self.harness.claim(lane, 5)}
            proxy.cut(reset=reset)
            # Whether the five come again is the broker's affair: they were claimed, and not settled.
            self._claim_all(lane, set(range(20)) - claimed)
            lane.close()
            self.harness.purge()

    @needs("one TCP server")
    def test_a_claim_whose_answer_is_lost_loses_nothing(self) -> None:
        proxy = self.harness.proxy()
        lane = self.harness.consumer()
        self.harness.claim_nothing(lane)
        before = self.harness.rings
        self.harness.producer().publish(self._messages(20))
        # Once the arrival is known, what comes next is the answer to the claim.
        self.harness.loop.until(lambda: self.harness.rings > before, "on_ready is called for messages that arrived")
        proxy.lose_answers()
        self._claim_all(lane, set(range(20)))

    @needs("one TCP server")
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
    @needs("one TCP server", "BEGIN_TRACE")
    def test_what_was_begun_before_a_cut_never_comes_again(self) -> None:
        proxy = self.harness.proxy()
        self.harness.producer().publish(self._messages(10))
        lane = self.harness.consumer()
        claimed = self.harness.claim(lane, 5)
        begun = set(map(number_of, claimed))
        lane.settle(Settlements(begin=[one.tag for one in claimed]))
        proxy.cut(reset=True)
        found = self._claim_all(lane, set(range(10)) - begun)
        demand(not found & begun, f"{sorted(found & begun)} were begun, and came again after the connection was cut")

    @needs("one TCP server")
    def test_arrival_is_announced_after_a_cut(self) -> None:
        proxy = self.harness.proxy()
        lane = self.harness.consumer()
        self.harness.claim_nothing(lane)
        proxy.cut()
        self._claim_all(lane, set())
        self.harness.claim_nothing(lane)
        before = self.harness.rings
        demand(self._published(self.harness.message(1)), "a publish after the cut was refused")
        self.harness.loop.until(lambda: self.harness.rings > before, "on_ready is called after the connection was cut")
        self._claim_all(lane, {1})

    @needs("one TCP server")
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

    @needs("one TCP server")
    def test_a_server_that_is_away_is_an_error_and_then_found_again(self) -> None:
        proxy = self.harness.proxy()
        demand(self._published(self.harness.message(0)), "a publish was refused")
        proxy.refuse()
        demand(not self._published(self.harness.message(1)), "a publish to a server that is away returned")
        proxy.resume()
        demand(self._published(self.harness.message(2)), "a publish to a server that is back was refused")
        self._claim_all(self.harness.consumer(), {0, 2})

    @needs("one TCP server")
    def test_any_operation_may_be_cut_off(self) -> None:
        proxy, queue = self.harness.proxy(), self.harness.queue
        operations: dict[str, Callable[[ConsumerLane, Any], object]] = {
            "requeue": lambda lane, tag: lane.settle(Settlements(requeue=[tag])),
            "redeliver": lambda lane, tag: lane.settle(Settlements(redeliver=[tag])),
            "begin": lambda lane, tag: lane.settle(Settlements(begin=[tag])),
            "reject": lambda lane, tag: lane.settle(Settlements(reject=[tag])),
            "ack and claim": lambda lane, tag: lane.turn(Settlements(ack=[tag]), 1),
            "renew": lambda lane, _: lane.renew(),
            "lost": lambda lane, _: lane.lost(),
            "depth": lambda lane, _: lane.depth(queue.name),
            "stop_receiving": lambda lane, _: lane.stop_receiving(),
            "close": lambda lane, _: lane.close(),
        }
        if self.harness.has("CHANGE_QUEUES"):
            operations["add_queue"] = lambda lane, _: lane.add_queue(queue)
            operations["remove_queue"] = lambda lane, _: lane.remove_queue(queue.name)
        ended = {"begin", "reject", "ack and claim"}  # where it is for the broker to say whether that was heard
        for number, (what, operation) in enumerate(operations.items()):
            lane = self.harness.consumer()
            demand(self._published(self.harness.message(number)), "a publish was refused")
            (claimed,) = self.harness.claim(lane, 1)
            proxy.cut(reset=True)
            try:
                operation(lane, claimed.tag)
            except self._errors:
                demand(what not in {"close", "stop_receiving"}, f"{what} over a lost connection raised")
            lane.close()
            if what not in ended:
                with closing(self.harness.consumer()) as heir:
                    self._claim_all(heir, {number})

    @needs("one TCP server")
    def test_a_connection_that_stalls_loses_nothing(self) -> None:
        proxy = self.harness.proxy()
        producer, lane = self.harness.producer(), self.harness.consumer()
        demand(self._published(self.harness.message(0), by=producer), "a publish was refused")
        expected = set(map(number_of, self.harness.claim(lane, 1)))
        flow = threading.Timer(_STALL, proxy.flow)
        proxy.stall()
        flow.start()
        published = self._published(self.harness.message(1), by=producer)
        flow.join()
        demand(self._published(self.harness.message(2), by=None if published else producer), "a publish was refused")
        self._claim_all(lane, ({1, 2} if published else {2}) - expected)

    @level(Level.STRESS)
    @needs("one TCP server")
    def test_a_connection_that_stalls_for_good_is_given_up(self) -> None:
        proxy = self.harness.proxy()
        producer, lane = self.harness.producer(), self.harness.consumer()
        demand(self._published(self.harness.message(0), by=producer), "a publish was refused")
        self.harness.claim(lane, 1)
        proxy.stall()
        answered = self._published(self.harness.message(1), by=producer, patience=_GIVEN_UP)
        demand(not answered, "a publish that nobody has answered returned")
        proxy.cut()
        proxy.flow()
        demand(self._published(self.harness.message(2)), "a publish to a server that answers again was refused")
        self._claim_all(lane, {2})
