"""Apps without any installed broker of ours, workers in threads, and parts that can be told what to do."""

from __future__ import annotations

import threading
import uuid
from collections import deque

import pytest
from kombu.exceptions import OperationalError
from kombu.transport import memory

from celeriac.app.base import Celery
from celeriac.contracts import (
    Backend,
    ConsumerLane,
    Delivery,
    LaneCapabilities,
    Pool,
    PoolContext,
    Report,
    ResultWatcher,
    Settlements,
)
from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import StoreUnavailable
from celeriac.worker.consumer import Consumer
from celeriac.worker.hub import WorkerHub


class ToldLane(ConsumerLane):
    """A lane that keeps books: what was claimed, and what it was told of each; it fails as often as it is told to."""

    capabilities = LaneCapabilities.BEGIN_TRACE | LaneCapabilities.GIVE_BACK

    def __init__(self, connection=None):
        self.ready = deque()
        self.given_back = []
        self.claimed = {}
        self.told = {name: [] for name in ("begin", "ack", "requeue", "redeliver", "reject")}
        self.failures = deque()
        self.dead = []
        self.is_open = False
        self.receives = True
        self.limits = []
        self.calls = 0

    def open(self, queues, loop, on_ready):
        self._fail()
        self.is_open = True
        self.on_ready = on_ready

    def put(self, *deliveries):
        self.ready.extend(deliveries)
        self.on_ready()

    def claim(self, limit):
        self._fail()
        return self._claim(limit)

    def _claim(self, limit):
        assert limit > 0
        taken = [self.ready.popleft() for _ in range(min(limit, len(self.ready)))]
        self.claimed.update((delivery.tag, delivery) for delivery in taken)
        return taken

    def settle(self, batch: Settlements):
        self._fail()
        self._settle(batch)

    def _settle(self, batch):
        for name, tags in self.told.items():
            for tag in getattr(batch, name):
                assert tag in self.claimed, f"{name} of {tag}, which is not claimed"
                tags.append(tag)
                if name != "begin":
                    delivery = self.claimed.pop(tag)
                    if name in {"requeue", "redeliver"}:
                        self.given_back.append(delivery)

    def turn(self, batch, limit):
        self._fail()
        self._settle(batch)
        return self._claim(limit)

    def probe(self):
        self._fail()

    def lost(self):
        found, self.dead = self.dead, []
        self.claimed.update((delivery.tag, delivery) for delivery in found)
        return found

    def prefetch(self, limit):
        self.limits.append(limit)

    def stop_receiving(self):
        self.receives = False

    def close(self):
        self.is_open = False

    def _fail(self):
        self.calls += 1
        if self.failures and (error := self.failures.popleft()) is not None:
            raise error


class ToldPool(Pool):
    """A pool whose jobs begin and end when the test says so."""

    name = "told"

    def __init__(self, concurrency=2, ahead=10):
        super().__init__(PoolContext(app=None, concurrency=concurrency, executor=None))
        self.ahead = ahead
        self.waiting = deque()
        self.begun = []
        self.submitted = []

    def start(self, loop, on_reports):
        self.on_reports = on_reports

    def room(self):
        return self.context.concurrency + self.ahead - self.running()

    def submit(self, jobs):
        assert len(jobs) <= self.room()
        self.waiting.extend(jobs)
        self.submitted += [job.number for job in jobs]
        self._begin()

    def _begin(self):
        while self.waiting and len(self.begun) < self.context.concurrency:
            self.begun.append(self.waiting.popleft())

    def take_back(self):
        numbers = [job.number for job in self.waiting]
        self.waiting.clear()
        return numbers

    def running(self):
        return len(self.waiting) + len(self.begun)

    def stop(self):
        pass

    def terminate(self):
        self.begun.clear()
        self.waiting.clear()

    def end(self, count=None, kind=OutcomeKind.SUCCESS, runtime=0.001, **fields):
        """So many of the jobs that run, or all, end as `kind`; gives their numbers."""
        ended = self.begun[:count]
        del self.begun[: len(ended)]
        self._begin()
        if ended:
            self.on_reports([Report(job.number, kind, runtime, "detail", **fields) for job in ended])
        return [job.number for job in ended]


class ToldStore(Backend):
    """A store that is away when it is told to."""

    def __init__(self, app=None, url="told://"):
        super().__init__(app, url)
        self.results = {}
        self.batches = []
        self.is_away = False
        self.refuses = ()

    def store(self, results):
        if self.is_away:
            raise StoreUnavailable("the store is away")
        for result in results:
            if result.task_id in self.refuses:
                raise TypeError(f"cannot keep {result.task_id}")
        self.batches.append(len(results))
        self.results.update((result.task_id, result.meta) for result in results)

    def fetch(self, task_ids):
        if self.is_away:
            raise StoreUnavailable("the store is away")
        return {task_id: self.results[task_id] for task_id in task_ids if task_id in self.results}

    def delete(self, task_ids):
        for task_id in task_ids:
            self.results.pop(task_id, None)

    def watch(self) -> ResultWatcher:
        raise NotImplementedError


class ToldTransport(memory.Transport):
    """Gives out the lane that the test has made."""

    connection_errors = (OperationalError,)
    lane = None

    @classmethod
    def consumer_lane(cls, connection):
        return cls.lane


@pytest.fixture
def lane():
    return ToldLane()


@pytest.fixture
def app(lane):
    # The told broker takes no messages, and so no dead letters.
    app = Celery("proj", broker="told://", backend=ToldStore, set_as_current=False, task_dead_letters=())
    app.plugins.register_driver("broker", "told", type("Transport", (ToldTransport,), {"lane": lane}))
    yield app
    app.close()


@pytest.fixture
def make_app():
    """Return ``make_app(transport, url, **settings)``: an app on a Kombu transport, with a queue of its own."""
    apps = []

    def make(transport, url, **settings):
        name = f"celeriac-test-{uuid.uuid4()}"
        settings.setdefault("task_default_queue", name)
        app = Celery("proj", broker=url, backend=ToldStore, set_as_current=False, **settings)
        if isinstance(transport, str):
            app.conf.broker_transport = transport
        else:
            app.plugins.register_driver("broker", url.partition(":")[0], transport)
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.close()


@pytest.fixture
def store(app):
    """The result store of the app."""
    return app.backend


@pytest.fixture
def hub():
    hub = WorkerHub()
    yield hub
    hub.close()


@pytest.fixture
def pool():
    """Two jobs at once, ten more handed ahead."""
    return ToldPool()


@pytest.fixture
def outcomes():
    """What the consumer's outcome listener has heard."""
    return []


@pytest.fixture
def consumer(app, hub, lane, pool, outcomes):
    """A consumer of `lane` with `pool`, not started, whose app knows two tasks; closed with the test."""

    @app.task(name="proj.work")
    def work():
        raise AssertionError("the pool of these tests runs nothing")

    app.task(name="proj.late", acks_late=True)(lambda: None)
    consumer = Consumer(app, pool, hub, "test@host", app.amqp.queues.consume_from.values(), [outcomes.append])
    pool.start(hub, consumer.on_reports)
    yield consumer
    consumer.close()


@pytest.fixture
def turn_until(hub):
    """Return ``turn_until(condition, timeout=10.0)``: turns the loop until `condition` holds."""

    def turn(condition, timeout=10.0):
        expired = []
        deadline = hub.call_later(timeout, expired.append, True)
        while not condition():
            if expired:
                pytest.fail(f"not within {timeout:g} s of turning the loop")
            hub.run_once()
        deadline.cancel()

    return turn


@pytest.fixture
def settle_down(hub):
    """Return a function that turns the loop until nothing is scheduled for now."""

    def settle():
        while True:
            hub.call_soon(lambda: None)
            hub.run_once()
            if not hub._soon:
                return

    return settle


@pytest.fixture
def start_worker(wait_until):
    """Return ``start_worker(app, **options)``: a worker of the app in a thread, ready; ends with the test."""
    started = []

    def start(app, **options):
        ready = threading.Event()
        errors = []
        worker = app.Worker(**{"pool": "solo", "ready_callback": lambda _: ready.set(), **options})

        def run():
            try:
                worker.start()
            except BaseException as error:  # noqa: BLE001  # told to the test
                errors.append(error)

        thread = threading.Thread(target=run)
        started.append((worker, thread))
        thread.start()
        wait_until(lambda: ready.is_set() or errors or not thread.is_alive(), message="the worker is ready")
        if errors:
            raise errors[0]
        return worker, thread

    yield start
    for worker, thread in started:
        worker.stop()
        thread.join(20)
        assert not thread.is_alive(), "the worker has not ended"


@pytest.fixture(scope="session")
def message():
    """Return ``message(number, task="proj.work", **headers)``, which makes a delivery of a task message."""

    def make(number, task="proj.work", body=b'[[], {}, {"callbacks": null, "errbacks": null}]', **headers):
        return Delivery(
            f"tag-{number}",
            "celery",
            {"id": f"id-{number}", "task": task, **headers},
            {},
            body,
            "application/json",
            "utf-8",
            "",
            "celery",
            False,
            1,
        )

    return make
