"""The conformance kit is itself tested: a driver that breaks its contract fails the test that says so."""

from __future__ import annotations

import threading
import time
from collections import Counter
from queue import Empty

import pytest
from kombu.transport import memory, virtual

from celeriac import Celery
from celeriac.contracts import Backend, OutcomeKind, ResultWatcher, Serializer
from celeriac.exceptions import ProtocolError, SerializationError
from celeriac.protocol.json import dumps, loads
from celeriac.testing.conformance import (
    BackendHarness,
    BackendSuite,
    BrokerHarness,
    BrokerSuite,
    PoolHarness,
    PoolSuite,
    SerializerHarness,
    SerializerSuite,
    VerdictKind,
    keeping,
    run,
)
from celeriac.testing.conformance import backend as backend_suite
from celeriac.testing.conformance import loop as loop_of_the_kit
from celeriac.worker.solo import SoloPool


@pytest.fixture(autouse=True)
def _impatience(monkeypatch):
    """What never comes is not waited for as long as a slow broker may take."""
    monkeypatch.setattr(loop_of_the_kit.TurningLoop.until, "__defaults__", (0.5,))
    monkeypatch.setattr(backend_suite, "_PATIENCE", 0.5)
    monkeypatch.setattr(keeping, "_PATIENCE", 0.5)


# --- broker -----------------------------------------------------------------------------------------------------------


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


BROKERS = {
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


@pytest.mark.parametrize("channel", BROKERS, ids=lambda channel: channel.__name__)
def test_a_broken_broker_fails_by_name(channel, failed):
    class Transport(memory.Transport):
        Channel = channel
        global_state = virtual.BrokerState()

    channel.queues = {}

    def harness():
        app = Celery("kit", broker="mutant://", set_as_current=False)
        app.plugins.register_driver("broker", "mutant", Transport)
        return BrokerHarness("mutant://", app)

    assert failed(BrokerSuite, harness, BROKERS[channel]) == BROKERS[channel]


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


# --- result store -----------------------------------------------------------------------------------------------------


class Watcher(ResultWatcher):
    def __init__(self, store):
        self.store = store
        self.seen = {}

    def add(self, task_ids):
        self.seen.update(dict.fromkeys(task_ids))

    def wait(self, timeout):
        deadline = time.monotonic() + (60 if timeout is None else timeout)
        with self.store.changed:
            while not (found := self._changed()):
                left = deadline - time.monotonic()
                if left <= 0:
                    return []
                self.store.changed.wait(left)
        self.seen.update({meta["task_id"]: meta for meta in found})
        return found

    def _changed(self):
        return [meta for key in self.seen if (meta := self.store.metas.get(key)) not in (None, self.seen[key])]

    def close(self):
        self.seen = {}


class Store(Backend):
    """Keeps results in a map that all stores of a test share; each mutant breaks one thing."""

    persistent = False
    metas: dict
    expiries: dict
    changed: threading.Condition

    def store(self, results):
        with self.changed:
            for result in results:
                self.put(result)
                self.expiries[result.task_id] = time.monotonic() + (self.seconds(result) or 10**9)
            self.changed.notify_all()

    def seconds(self, result):
        return self.app.conf.result_expires if result.expires is None else result.expires

    def cleanup(self):
        self.delete([task_id for task_id, expiry in self.expiries.items() if expiry < time.monotonic()])

    def put(self, result):
        if self.metas.get(result.task_id, {}).get("status") != "SUCCESS":
            self.metas[result.task_id] = result.meta

    def fetch(self, task_ids):
        return {task_id: self.metas[task_id] for task_id in task_ids if task_id in self.metas}

    def delete(self, task_ids):
        for task_id in task_ids:
            self.metas.pop(task_id, None)

    def watch(self):
        return Watcher(self)


class Overwrites(Store):
    def put(self, result):
        self.metas[result.task_id] = result.meta


class KeepsTheFirst(Store):
    def put(self, result):
        self.metas.setdefault(result.task_id, result.meta)


class ForgetsTheRest(Store):
    def store(self, results):
        super().store(results[:100])


class InventsResults(Store):
    def fetch(self, task_ids):
        return {task_id: self.metas.get(task_id, {"status": "PENDING"}) for task_id in task_ids}


class DeletesNothing(Store):
    def delete(self, task_ids):
        """Nothing."""


class KeepsToItself(Store):
    def __init__(self, app, url):
        super().__init__(app, url)
        self.metas = {}


class Sleeper(Watcher):
    def wait(self, timeout):
        found = self._changed()
        if not found:
            time.sleep(timeout)
        return found


class WakesNobody(Store):
    def watch(self):
        return Sleeper(self)


class Deaf(Watcher):
    def add(self, task_ids):
        self.seen.update({task_id: self.store.metas.get(task_id) for task_id in task_ids})


class IgnoresThePast(Store):
    def watch(self):
        return Deaf(self)


class Gossip(Watcher):
    def _changed(self):
        return list(self.store.metas.values())


class SaysTooMuch(Store):
    def watch(self):
        return Gossip(self)


class KeepsForEver(Store):
    def cleanup(self):
        """Nothing."""


class IgnoresTheSettings(Store):
    def seconds(self, result):
        return result.expires


class DropsFields(Store):
    def put(self, result):
        kept = {key: value for key, value in result.meta.items() if key not in {"worker", "queue"}}
        super().put(result._replace(meta=kept))


class ShowsPasswords(Store):
    def as_uri(self, include_password=False):
        return self.url


STORES = {
    Store: set(),
    Overwrites: {"a success is never replaced"},
    KeepsTheFirst: {"a later state replaces an earlier one", "the last of one batch holds"},
    ForgetsTheRest: {"many are stored at once"},
    InventsResults: {"what is not there is left out"},
    DeletesNothing: {"what is deleted is gone"},
    KeepsToItself: {"another connection finds it"},
    WakesNobody: {"a watcher reports what is stored later"},
    IgnoresThePast: {"a watcher reports what is there already"},
    SaysTooMuch: {"a watcher says nothing of others"},
    KeepsForEver: {"a result expires when its time is over", "results expire as the settings say"},
    IgnoresTheSettings: {"results expire as the settings say"},
    DropsFields: {"extended results keep all their fields"},
    ShowsPasswords: {"its url hides the password"},
}


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.__name__)
def test_a_broken_result_store_fails_by_name(store, failed):
    def harness():
        shared = type("Shared", (store,), {"metas": {}, "expiries": {}, "changed": threading.Condition()})
        app = Celery("kit", set_as_current=False)
        app.plugins.register_driver("backend", "mutant", shared)
        return BackendHarness("mutant://", app)

    assert failed(BackendSuite, harness, STORES[store]) == STORES[store]


# --- serializer -------------------------------------------------------------------------------------------------------


class Json(Serializer):
    name = "mutant"
    content_type = "application/json"
    content_encoding = "utf-8"

    def dumps(self, value):
        return dumps(value)

    def loads(self, data):
        return loads(data)


class Nameless(Json):
    name = ""


class WritesText(Json):
    def dumps(self, value):
        return super().dumps(value).decode()


class TrustsNobodyToFail(Json):
    def loads(self, data):
        import json

        return json.loads(data)


class WritesAnything(Json):
    def dumps(self, value):
        try:
            return super().dumps(value)
        except SerializationError:
            return b"null"


class LosesNulls(Json):
    def loads(self, data):
        found = super().loads(data)
        return {} if found is None else found


class Guesses(Json):
    whole = b""

    def dumps(self, value):
        type(self).whole = super().dumps(value)
        return self.whole

    def loads(self, data):
        try:
            return super().loads(data)
        except ProtocolError:
            if self.whole.startswith(data) and len(data) > len(self.whole) // 2:
                return super().loads(self.whole)
            raise


SERIALIZERS = {
    Json: set(),
    Nameless: {"says what it writes"},
    WritesText: {"writes bytes"},
    TrustsNobodyToFail: {"hostile data is refused"},
    WritesAnything: {"what cannot be written is refused"},
    LosesNulls: {"plain values come back unchanged"},
    Guesses: {"cut data is not taken for whole"},
}


@pytest.mark.parametrize("serializer", SERIALIZERS, ids=lambda serializer: serializer.__name__)
def test_a_broken_serializer_fails_by_name(serializer, failed):
    expected = SERIALIZERS[serializer]
    assert failed(SerializerSuite, lambda: SerializerHarness(serializer), expected) == expected


# --- pool -------------------------------------------------------------------------------------------------------------


class Pool(SoloPool):
    """The kernel's own, of which each mutant breaks one thing."""

    def start(self, loop, on_reports):
        super().start(loop, lambda reports: on_reports(self.told(reports)))

    def told(self, reports):
        return reports


class ForgetsReports(Pool):
    def told(self, reports):
        return [report for report in reports if report.number % 7]


class ReportsTwice(Pool):
    def told(self, reports):
        return [*reports, *reports]


class LooksAway(Pool):
    def told(self, reports):
        return [report._replace(kind=OutcomeKind.SUCCESS) for report in reports]


class MiscountsRunning(Pool):
    def running(self):
        return super().running() + 1


class HasNoRoom(Pool):
    def room(self):
        return 0


class RunsWhatItGaveBack(Pool):
    def take_back(self):
        return [job.number for job in self._waiting]


class TellsStartsTwice(Pool):
    def watch_starts(self, on_started):
        super().watch_starts(lambda runs: on_started([*runs, *runs]))


class TellsNoStarts(Pool):
    def watch_starts(self, on_started):
        super().watch_starts(lambda runs: None)


class TerminatesNothing(Pool):
    def terminate_job(self, number, signum=15):
        return any(job.number == number for job in self._waiting)


class TerminatesWhatIsNotThere(Pool):
    def terminate_job(self, number, signum=15):
        super().terminate_job(number, signum)
        return True


class RestartsWithoutModules(Pool):
    def restart(self, modules=None, reload=False):
        pass


class GrowsInSilence(Pool):
    def grow(self, n=1):
        pass

    def shrink(self, n=1):
        pass


POOLS = {
    Pool: set(),
    TellsStartsTwice: {"starts are told once each and before the report"},
    TellsNoStarts: {"starts are told once each and before the report"},
    TerminatesNothing: {"a job that has not begun is terminated too"},
    TerminatesWhatIsNotThere: {"a job that is not there is not terminated"},
    RestartsWithoutModules: {"a restart replaces the children and loses nothing"},
    GrowsInSilence: {"it grows and shrinks while jobs run"},
    ForgetsReports: {"each of many jobs is reported once"},
    ReportsTwice: {"a job runs and is reported"},
    LooksAway: {"what a job reports arrives"},
    MiscountsRunning: {"running counts what is not reported"},
    HasNoRoom: {"there is room for as many as run at once"},
    RunsWhatItGaveBack: {"what is taken back is not run"},
}


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.__name__)
def test_a_broken_pool_fails_by_name(pool, failed, monkeypatch):
    monkeypatch.setattr("celeriac.testing.conformance.pool_harness._NAP", 0.005)
    monkeypatch.setattr("celeriac.testing.conformance.pool_harness._NAPS", 2)
    assert failed(PoolSuite, lambda: PoolHarness(pool), POOLS[pool]) == POOLS[pool]
