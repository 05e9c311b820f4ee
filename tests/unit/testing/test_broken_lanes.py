"""A lane of a driver's own that breaks its contract fails the test of the kit that says so."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import ClassVar
from uuid import uuid4

import pytest

from celeriac import Celery
from celeriac.contracts import LaneCapabilities, Settlements
from celeriac.testing.conformance import BrokerHarness, BrokerSuite
from celeriac.testing.conformance import loop as loop_of_the_kit
from celeriac_memory.broker import Transport as MemoryTransport
from celeriac_memory.lanes import MemoryConsumerLane, MemoryProducerLane

SUITE = BrokerSuite


class Consumer(MemoryConsumerLane):
    """Of the plugin for memory, of which each mutant breaks one thing."""


class Producer(MemoryProducerLane):
    """Likewise."""


class IgnoresThePast(Consumer):
    def open(self, queues, loop, on_ready):
        super().open(queues, loop, on_ready)
        super().claim(100)


class RingsNobody(Consumer):
    def open(self, queues, loop, on_ready):
        super().open(queues, loop, lambda: None)


class TakesAll(Consumer):
    def claim(self, limit):
        return super().claim(100)


class RequeuesRejected(Consumer):
    def settle(self, batch):
        super().settle(Settlements(batch.ack, batch.begin, [*batch.requeue, *batch.reject], batch.redeliver, []))


class TurnsAckIntoRequeue(Consumer):
    def turn(self, batch, limit):
        return super().turn(Settlements(requeue=batch.ack), limit)


class ClosesOnce(Producer):
    def close(self):
        super().close()
        self._connection = None


class IgnoresPriorities(Producer):
    def publish(self, messages):
        super().publish([replace(each, properties={**each.properties, "priority": 0}) for each in messages])


class CountsNothing(Consumer):
    def claim(self, limit):
        return [each._replace(delivery_count=1, redelivered=False) for each in super().claim(limit)]


class CountsWhatIsGivenBack(Consumer):
    def settle(self, batch):
        super().settle(Settlements(batch.ack, batch.begin, [], [*batch.redeliver, *batch.requeue], batch.reject))


class DeliversAtOnce(Producer):
    def publish(self, messages):
        super().publish([replace(each, eta=None) for each in messages])


class NeverRemovesQueues(Consumer):
    def remove_queue(self, name):
        pass


class KeepsWhatItRemoves(Consumer):
    def remove_queue(self, name):
        self.claim(100)
        super().remove_queue(name)


class CountsClaims(Consumer):
    def depth(self, queue):
        return super().depth(queue) + len(self.held())


class LosesClaimsByRenewing(Consumer):
    capabilities = Consumer.capabilities | LaneCapabilities.LEASES

    def renew(self):
        self.settle(Settlements(requeue=list(self._claims)))


class TakesTheLivingForDead(Consumer):
    begun: ClassVar[list] = []

    def settle(self, batch):
        self.begun.extend(self._claims[tag] for tag in batch.begin)
        super().settle(batch)

    def lost(self):
        return [self._deliver(entry) for entry in self.begun]


class SharesItsBasket(Producer):
    def publish(self, messages):
        type(self).basket = messages
        time.sleep(0.001)  # where another thread comes between
        super().publish(self.basket)


class TakesAllForNew(Consumer):
    def claim(self, limit):
        return [each._replace(redelivered=False) for each in super().claim(limit)]


class CutsLargeBodies(Producer):
    def publish(self, messages):
        super().publish([replace(each, body=each.body[:100_000]) for each in messages])


MUTANTS = {
    Consumer: set(),
    IgnoresThePast: {"messages that are there already are claimed"},
    RingsNobody: {"arrival is announced"},
    TakesAll: {"a claim keeps its limit"},
    RequeuesRejected: {"a rejected message is gone"},
    TurnsAckIntoRequeue: {"a turn settles and claims"},
    ClosesOnce: {"closing twice is harmless"},
    IgnoresPriorities: {"priorities are kept"},
    CountsNothing: {"deliveries are counted"},
    CountsWhatIsGivenBack: {"what is given back is not counted"},
    DeliversAtOnce: {"a message with an eta is held back"},
    NeverRemovesQueues: {"queues are changed while the lane is open"},
    KeepsWhatItRemoves: {"what waits in a removed queue is for others"},
    CountsClaims: {"the depth of a queue is known"},
    LosesClaimsByRenewing: {"renewing keeps the claims"},
    TakesTheLivingForDead: {"no begun message is lost while its lane lives"},
    SharesItsBasket: {"eight threads publish at once"},
    TakesAllForNew: {"a redelivered message comes back"},
    CutsLargeBodies: {"a large message arrives"},
}


@pytest.mark.parametrize("lane", MUTANTS, ids=lambda lane: lane.__name__)
def test_a_broken_lane_fails_by_name(lane, failed, monkeypatch):
    monkeypatch.setattr(loop_of_the_kit.TurningLoop.until, "__defaults__", (0.5,))
    if lane is DeliversAtOnce or lane is Consumer:
        monkeypatch.undo()  # what is held back is waited for

    class Transport(MemoryTransport):
        producer_lane = lane if issubclass(lane, Producer) else Producer
        consumer_lane = lane if issubclass(lane, Consumer) else Consumer

    address = f"mutant://{uuid4().hex}"

    def harness():
        app = Celery("kit", broker=address, set_as_current=False)
        app.plugins.register_driver("broker", "mutant", Transport)
        return BrokerHarness(address, app)

    assert failed(BrokerSuite, harness, MUTANTS[lane]) == MUTANTS[lane]
