"""Lanes that lose messages with their connections, or double them, each fail a test of the kit by name."""

from __future__ import annotations

import os
import queue
import threading
from contextlib import suppress
from dataclasses import replace

import pytest
from kombu.exceptions import OperationalError

from celeriac.contracts import Settlements
from celeriac.testing.conformance import BrokerHarness, BrokerSuite, VerdictKind, run, sharing
from celeriac.testing.conformance import connections as connection_checks
from celeriac.testing.conformance import loop as loop_of_the_kit
from celeriac_redis.broker import RedisTransport
from celeriac_redis.consumer import RedisConsumerLane
from celeriac_redis.producer import RedisProducerLane

SUITE = BrokerSuite


class SwallowsErrors(RedisProducerLane):
    def publish(self, messages):
        with suppress(OperationalError):
            super().publish(messages)


class PublishesTwice(RedisProducerLane):
    def publish(self, messages):
        super().publish([replace(message, once=False) for message in messages])


class ForgetsDoubts(RedisConsumerLane):
    """Takes a claim whose answer was lost for one that took nothing."""

    def claim(self, limit):
        try:
            return super().claim(limit)
        except OperationalError:
            if self._claims._doubt is not None:
                self._claims._next = self._claims._doubt[1] + 1
                self._claims._doubt = None
            raise


class RequeuesWhatIsBegun(RedisConsumerLane):
    def settle(self, batch):
        super().settle(Settlements(batch.ack, [], [*batch.begin, *batch.requeue], batch.redeliver, batch.reject))


class IsDeafAfterACut(RedisConsumerLane):
    """Also to the timers that would have it look by itself in the end."""

    def open(self, queues, loop, on_ready):
        self._deaf = False
        super().open(queues, loop, lambda: None if self._deaf else on_ready())
        self._watch._lost = self._lose
        self._watch.listen_for = self._lose

    def _lose(self, _):
        self._deaf = True
        self._watch._deafen()


class NeverLooksForTheDead(RedisConsumerLane):
    def lost(self):
        return []


class SendsFromAThread(RedisProducerLane):
    """One for the whole program, which a forked child has not: nobody starts it there."""

    waiting, sender = queue.SimpleQueue(), None

    def publish(self, messages):
        cls = type(self)
        if cls.sender is None:
            cls.sender = threading.Thread(target=self._send, daemon=True)
            cls.sender.start()
        sent = threading.Event()
        cls.waiting.put((super().publish, messages, sent))
        sent.wait(0.01 if not cls.sender.is_alive() else 60)

    def _send(self):
        while True:
            publish, messages, sent = self.waiting.get()
            publish(messages)
            sent.set()


class SendsAgainWhatItInherits(RedisProducerLane):
    """Keeps what it sent last, in case its connection is lost; a child takes what its parent kept for its own."""

    kept, kept_by = (), None

    def publish(self, messages):
        cls = type(self)
        doubtful = cls.kept if cls.kept_by not in {None, os.getpid()} else ()
        cls.kept, cls.kept_by = messages, os.getpid()
        super().publish([*doubtful, *messages])


class WaitsForEver(RedisProducerLane):
    def publish(self, messages):
        self._link._options = replace(self._link._options, socket_timeout=None)
        super().publish(messages)


class GivesUpInSilence(RedisProducerLane):
    """Asks whether the server is there, and says nothing where it is not."""

    def publish(self, messages):
        asking = threading.Thread(target=self._link.ask, args=(("PING",),))
        asking.start()
        asking.join(0.1)
        if asking.is_alive():
            asking.join()
        else:
            super().publish(messages)


class AcksAhead(RedisConsumerLane):
    """Has on hand, and nowhere else, what it was not asked for yet."""

    def open(self, queues, loop, on_ready):
        self.ahead = []
        super().open(queues, loop, on_ready)
        listen_for = self._watch.listen_for
        self._watch.listen_for = lambda link: (self.ahead.clear(), listen_for(link))  # as it connects anew

    def claim(self, limit):
        found = super().claim(100)
        super().settle(Settlements(ack=[each.tag for each in found]))
        self.ahead += found
        given, self.ahead[:] = self.ahead[:limit], self.ahead[limit:]
        return given


class RaisesAsItCloses(RedisConsumerLane):
    def close(self):
        super().close()
        raise OperationalError("it was closed")


MUTANTS = {
    SwallowsErrors: {
        "a publish that is cut off arrives or raises",
        "a server that is away is an error and then found again",
    },
    PublishesTwice: {"of messages to be published once one is kept"},
    ForgetsDoubts: {"a claim whose answer is lost loses nothing"},
    RequeuesWhatIsBegun: {"what was begun before a cut never comes again", "a begun message never returns"},
    SendsFromAThread: {"a forked child leaves its parents connections alone"},
    SendsAgainWhatItInherits: {"a forked child leaves its parents connections alone"},
    WaitsForEver: {"a connection that stalls for good is given up"},
    GivesUpInSilence: {"a connection that stalls loses nothing"},
    AcksAhead: {"a cut between claims loses nothing", "a settlement that is cut off loses nothing"},
    RaisesAsItCloses: {"any operation may be cut off"},
    IsDeafAfterACut: {"arrival is announced after a cut"},
    NeverLooksForTheDead: {"what a killed process held comes back"},
}


@pytest.mark.slow
@pytest.mark.parametrize("lane", MUTANTS, ids=lambda lane: lane.__name__)
def test_a_lane_that_loses_messages_fails_by_name(lane, url, app, monkeypatch):
    monkeypatch.setattr(loop_of_the_kit.TurningLoop.until, "__defaults__", (1.0,))
    monkeypatch.setattr(connection_checks.ConnectionChecks._claim_all, "__defaults__", (1.0,))
    monkeypatch.setattr(sharing, "_LEASE_PATIENCE", 1.5)
    monkeypatch.setattr(connection_checks, "_GIVEN_UP", 4.0)
    if lane is NeverLooksForTheDead:
        app.conf.broker_transport_options = {**app.conf.broker_transport_options, "lease": 1}

    class Broken(RedisTransport):
        @classmethod
        def producer_lane(cls, connection):
            made = super().producer_lane(connection)
            if issubclass(lane, RedisProducerLane):
                made.__class__ = lane
            return made

        @classmethod
        def consumer_lane(cls, connection):
            made = super().consumer_lane(connection)
            if issubclass(lane, RedisConsumerLane):
                made.__class__ = lane
            return made

    app.plugins.register_driver("broker", "redis", Broken)
    case = type("Case", (BrokerSuite,), {"make_harness": lambda _: BrokerHarness(url, app)})
    found = [verdict for words in MUTANTS[lane] for verdict in run(case, only=words)]
    assert {verdict.test for verdict in found if verdict.kind is VerdictKind.FAILED} == MUTANTS[lane]
