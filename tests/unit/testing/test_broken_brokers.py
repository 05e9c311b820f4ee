"""A broker that breaks its contract fails the test of the kit that says so."""

from __future__ import annotations

from collections import Counter
from queue import Empty

import pytest
from kombu.transport import memory, virtual

from celeriac import Celery
from celeriac.testing.conformance import BrokerHarness, BrokerSuite, VerdictKind, run
from celeriac.testing.conformance import loop as loop_of_the_kit

SUITE = BrokerSuite


@pytest.fixture(autouse=True)
def _impatience(monkeypatch):
    """What never comes is not waited for as long as a slow broker may take."""
    monkeypatch.setattr(loop_of_the_kit.TurningLoop.until, "__defaults__", (0.5,))


class Channel(memory.Channel):
    """Kombu's own, of which each mutant breaks one thing."""


class LosesAcks(virtual.QoS):
    def ack(self, delivery_tag):
        """Take an ack for a nack."""
        self.channel._restore(self._delivered[delivery_tag])
        super().ack(delivery_tag)


class ForgetsAcks(Channel):
    QoS = LosesAcks


class LosesMessages(Channel):
    count = 0

    def _put(self, queue, message, **kwargs):
        type(self).count += 1
        if type(self).count % 3:
            super()._put(queue, message, **kwargs)


class DeliversTwice(Channel):
    def _put(self, queue, message, **kwargs):
        super()._put(queue, message, **kwargs)
        super()._put(queue, message, **kwargs)


class Reorders(Channel):
    def _get(self, queue, timeout=None):
        waiting = self._queue_for(queue).queue
        if not waiting:
            raise Empty
        return waiting.pop()


class CutsBodies(Channel):
    def _put(self, queue, message, **kwargs):
        super()._put(queue, {**message, "body": message["body"][:1000]}, **kwargs)


class DropsHeaders(Channel):
    def _put(self, queue, message, **kwargs):
        headers = {key: value for key, value in message["headers"].items() if key == "number"}
        super()._put(queue, {**message, "headers": headers}, **kwargs)


class DropsRejected(Channel):
    def basic_reject(self, delivery_tag, requeue=False):
        super().basic_reject(delivery_tag, requeue=False)


class FansOutToOne(Channel):
    def _put_fanout(self, exchange, message, routing_key, **kwargs):
        for queue in self._lookup(exchange, routing_key)[:1]:
            self._queue_for(queue).put(message)


class MistakesTopics(Channel):
    def typeof(self, exchange, default="direct"):
        kind = super().typeof(exchange, default)
        return self.exchange_types["fanout"] if kind.type == "topic" else kind


class MistakesKeys(Channel):
    def typeof(self, exchange, default="direct"):
        kind = super().typeof(exchange, default)
        return self.exchange_types["fanout"] if kind.type == "direct" else kind


class DoublesByDeclaring(Channel):
    def _new_queue(self, queue, **kwargs):
        for message in list(self._queue_for(queue).queue):
            self._queue_for(queue).put(message)


class PurgesNothing(Channel):
    def _purge(self, queue):
        return 0


class DeletesNoQueue(Channel):
    def queue_delete(self, queue, if_unused=False, if_empty=False, **kwargs):
        """Nothing."""


class RaisesInTheLoop(Channel):
    def _get(self, queue, timeout=None):
        try:
            return super()._get(queue, timeout)
        except Empty:
            return None


class LosesEmptyBodies(Channel):
    def _put(self, queue, message, **kwargs):
        if message["body"]:
            super()._put(queue, message, **kwargs)


MUTANTS = {
    Channel: set(),
    ForgetsAcks: {"an acked message is gone", "a backlog drains without loss or double"},
    LosesMessages: {"a backlog drains without loss or double", "messages come in order"},
    DeliversTwice: {
        "what is claimed is not claimed again",
        "a backlog drains without loss or double",
        "consumers in four threads share no message",
    },
    Reorders: {"messages come in order", "each queue keeps its order"},
    CutsBodies: {"a large message arrives"},
    DropsHeaders: {"a message arrives whole"},
    FansOutToOne: {"a fanout reaches everyone who listens"},
    MistakesTopics: {"a topic exchange sends by pattern"},
    MistakesKeys: {"a direct exchange sends by the whole key"},
    DoublesByDeclaring: {"what is declared twice is declared once"},
    PurgesNothing: {"a purged queue is empty"},
    DeletesNoQueue: {"a deleted queue takes its messages along"},
    RaisesInTheLoop: {"an empty queue gives nothing"},
    LosesEmptyBodies: {"an empty body and all of unicode arrive"},
    DropsRejected: {
        "a requeued message comes back",
        "a redelivered message comes back",
        "many are settled at once",
        "unsettled claims return when the lane closes",
    },
}


@pytest.mark.parametrize("channel", MUTANTS, ids=lambda channel: channel.__name__)
def test_a_broken_broker_fails_by_name(channel, failed):
    class Transport(memory.Transport):
        Channel = channel
        global_state = virtual.BrokerState()

    channel.queues = {}

    def harness():
        app = Celery("kit", broker="mutant://", set_as_current=False)
        app.plugins.register_driver("broker", "mutant", Transport)
        return BrokerHarness("mutant://", app)

    assert failed(BrokerSuite, harness, MUTANTS[channel]) == MUTANTS[channel]


def test_a_broker_that_cannot_be_reached_fails_every_test_and_the_run_goes_on():
    class Transport(virtual.Transport):
        def establish_connection(self):
            raise ConnectionRefusedError("nobody listens")

    def harness():
        app = Celery("kit", broker="mutant://", set_as_current=False, broker_connection_max_retries=0)
        app.plugins.register_driver("broker", "mutant", Transport)
        return BrokerHarness("mutant://", app)

    case = type("Case", (BrokerSuite,), {"make_harness": lambda _: harness()})
    found = list(run(case))
    by_kind = Counter(verdict.kind for verdict in found)
    assert by_kind[VerdictKind.PASSED] == 0
    assert by_kind[VerdictKind.FAILED] > 2 * by_kind[VerdictKind.NOT_CLAIMED]
    assert any("nobody listens" in verdict.detail for verdict in found)
