"""What a broker must do with exchanges and queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from celeriac.contracts.broker import Settlements
from celeriac.testing.conformance.broker_harness import number_of
from celeriac.testing.conformance.claims import needs
from celeriac.testing.conformance.demands import demand
from celeriac.testing.conformance.suite import Level, Suite, level

if TYPE_CHECKING:
    from celeriac.contracts.broker import OutgoingMessage


class RoutingChecks(Suite):
    """The part of `BrokerSuite` that is about where messages go."""

    def _exchange(self, kind: str) -> Any:
        from kombu import Exchange

        return Exchange(f"celeriac-conformance-{uuid4().hex}", type=kind)

    def _addressed(self, number: int, exchange: Any, routing_key: str, declare: Any) -> OutgoingMessage:
        message: OutgoingMessage = self.harness.message(number)
        message.exchange, message.routing_key, message.queue = exchange.name, routing_key, declare
        return message

    @needs("direct exchanges", tried=True)
    def test_a_direct_exchange_sends_by_the_whole_key(self) -> None:
        exchange = self._exchange("direct")
        first, second = self.harness.another_queue(exchange, "a"), self.harness.another_queue(exchange, "b")
        lanes = [self.harness.consumer(queue) for queue in (first, second)]
        self.harness.producer().publish(
            [self._addressed(1, exchange, "a", first), self._addressed(2, exchange, "b", second)]
        )
        found = [[number_of(one) for one in self.harness.claim(lane, 1)] for lane in lanes]
        demand(found == [[1], [2]], f"message 1 was for the first queue, 2 for the second; they had {found}")
        demand(not any(map(self.harness.claim_nothing, lanes)), "a message went to a queue of another key")

    @level(Level.RECOMMENDED)
    @needs("topic exchanges", tried=True)
    def test_a_topic_exchange_sends_by_pattern(self) -> None:
        exchange = self._exchange("topic")
        word, rest = self.harness.another_queue(exchange, "a.*"), self.harness.another_queue(exchange, "a.#")
        lanes = [self.harness.consumer(queue) for queue in (word, rest)]
        self.harness.producer().publish(
            [self._addressed(0, exchange, "a.b", word), self._addressed(1, exchange, "a.b.c", rest)]
        )
        claimed = self.harness.claim(lanes[0], 1), self.harness.claim(lanes[1], 2)
        found = [sorted(number_of(one) for one in deliveries) for deliveries in claimed]
        demand(found == [[0], [0, 1]], f"a.* was to have a.b, a.# both; they had {found}")
        demand(not self.harness.claim_nothing(lanes[0]), "a.* had a message of a.b.c")

    @level(Level.RECOMMENDED)
    @needs("fanout exchanges", tried=True)
    def test_a_fanout_reaches_everyone_who_listens(self) -> None:
        exchange = self._exchange("fanout")
        queues = [self.harness.another_queue(exchange) for _ in range(3)]
        lanes = [self.harness.consumer(queue) for queue in queues]
        for lane in lanes:
            self.harness.claim_nothing(lane)
        self.harness.producer().publish([self._addressed(1, exchange, "", exchange)])
        for lane in lanes:
            (found,) = self.harness.claim(lane, 1)
            demand(number_of(found) == 1, f"another message came: {found.headers!r}")
            lane.settle(Settlements(ack=[found.tag]))

    def test_what_is_declared_twice_is_declared_once(self) -> None:
        self.harness.producer().publish([self.harness.message(0)])
        for _ in range(2):
            with self.harness.app.connection_for_write(self.harness.url) as connection:
                self.harness.queue(connection.default_channel).declare()
        lane = self.harness.consumer()
        self.harness.claim(lane, 1)
        demand(not self.harness.claim_nothing(lane), "a queue that was declared again has its message twice")

    def test_a_purged_queue_is_empty(self) -> None:
        self.harness.producer().publish([self.harness.message(number) for number in range(5)])
        with self.harness.app.connection_for_write(self.harness.url) as connection:
            self.harness.queue(connection.default_channel).purge()
        demand(not self.harness.claim_nothing(self.harness.consumer()), "a queue that was purged has messages")

    def test_a_deleted_queue_takes_its_messages_along(self) -> None:
        self.harness.producer().publish([self.harness.message(number) for number in range(5)])
        with self.harness.app.connection_for_write(self.harness.url) as connection:
            self.harness.queue(connection.default_channel).delete()
        demand(not self.harness.claim_nothing(self.harness.consumer()), "a queue that was deleted has its messages")
