"""The autoscaler: grows at once with what waits, shrinks only when that has been little for a while."""

from __future__ import annotations

import pytest
from kombu import Queue

from celeriac.contracts import Pool, PoolContext
from celeriac.exceptions import ImproperlyConfigured
from celeriac.worker.autoscale import Autoscaler, bounds
from celeriac.worker.window import PrefetchWindow


class Elastic(Pool):
    """A pool of which only the size matters."""

    name = "elastic"

    def grow(self, n=1):
        self.context.concurrency += n

    def shrink(self, n=1):
        self.context.concurrency -= n

    def start(self, loop, on_reports): ...
    def room(self): ...
    def submit(self, jobs): ...
    def running(self): ...
    def stop(self): ...
    def terminate(self): ...


class Worker:
    def __init__(self):
        self.consumer = self
        self.ready = 0
        self.told = 0
        self.window = PrefetchWindow(4, 2)

    def pool_resized(self):
        self.told += 1


@pytest.fixture
def worker():
    return Worker()


@pytest.fixture
def pool():
    return Elastic(PoolContext(None, 2, lambda: None))


@pytest.fixture
def scaler(pool, worker):
    return Autoscaler(pool, 10, 2, worker=worker, keepalive=0)


def test_the_pool_grows_with_what_waits_up_to_its_bound(scaler, pool, worker):
    for ready, size in ((0, 2), (5, 5), (500, 10)):
        worker.ready = ready
        scaler.maybe_scale()
        assert pool.context.concurrency == size
    assert worker.told == 2


class Depths:
    """A consumer's lane, queues and app, as far as the autoscaler asks."""

    connection_errors = (OSError,)

    def __init__(self, **depths):
        self.lane = self.listening = self.app = self
        self.depths = depths
        self.queues = [Queue(name) for name in depths]
        self.paused = {"paused"}
        self.is_claiming = True
        self.window = PrefetchWindow(1, 2)
        self.ready = 2
        self.asked = []

    def depth(self, name):
        self.asked.append(name)
        if isinstance(self.depths[name], Exception):
            raise self.depths[name]
        return self.depths[name]

    def pool_resized(self):
        """Of no matter here."""

    @property
    def consumer(self):
        return self


@pytest.mark.parametrize(
    ("depths", "size"),
    [
        ({"celery": 3, "other": 1}, 6),
        ({"celery": 500}, 10),
        ({"celery": 0, "paused": 9}, 2),
        ({"celery": None}, 3),
        ({"celery": OSError("away")}, 2),
    ],
    ids=str,
)
def test_where_nothing_is_claimed_ahead_it_grows_with_what_waits_in_the_queues(pool, depths, size):
    Autoscaler(pool, 10, 2, worker=Depths(**depths), keepalive=0).maybe_scale()
    assert pool.context.concurrency == size


def test_the_broker_is_not_asked_while_there_is_room(pool):
    worker = Depths(celery=100)
    worker.ready = 1
    Autoscaler(pool, 10, 2, worker=worker).maybe_scale()
    pool.context.concurrency = worker.ready = 10
    Autoscaler(pool, 10, 2, worker=worker).maybe_scale()
    assert worker.asked == []


def test_it_shrinks_when_there_is_little_to_do_down_to_its_bound(scaler, pool, worker):
    worker.ready = 8
    scaler.maybe_scale()
    for ready, size in ((6, 6), (0, 2)):
        worker.ready = ready
        assert scaler.maybe_scale()
        assert pool.context.concurrency == size
    assert not scaler.maybe_scale()


def test_it_does_not_shrink_right_after_it_has_grown(pool, worker):
    scaler = Autoscaler(pool, 10, 2, worker=worker, keepalive=60)
    worker.ready = 8
    scaler.maybe_scale()
    worker.ready = 0
    assert not scaler.maybe_scale()
    assert pool.context.concurrency == 8


def test_other_bounds_are_kept_at_once(scaler, pool, worker):
    assert scaler.update(max=20, min=5) == (20, 5)
    assert pool.context.concurrency == 5
    assert scaler.update(max=3, min=1) == (3, 1)
    assert pool.context.concurrency == 3
    with pytest.raises(ValueError, match="not from 4 to 3"):
        scaler.update(min=4)


def test_scaling_by_hand_moves_the_bound_along(scaler, pool):
    scaler.force_scale_up(20)
    assert (pool.context.concurrency, scaler.max_concurrency) == (22, 22)
    scaler.force_scale_down(100)
    assert (pool.context.concurrency, scaler.min_concurrency) == (1, 1)
    assert scaler.info() == {"max": 22, "min": 1, "current": 1, "qty": 0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10,3", (10, 3)), ("10", (10, 1)), ("10,0", (10, 1)), ((8, 2), (8, 2)), ("", None), (None, None)],
)
def test_bounds_are_read_as_they_are_written(text, expected):
    assert bounds(text) == expected


@pytest.mark.parametrize("text", ["3,10", "many", "1,2,3", "0", "-1"])
def test_bounds_that_cannot_be_are_refused_with_an_example(text):
    with pytest.raises(ImproperlyConfigured, match="as in 10,3"):
        bounds(text)


def test_the_prefetch_follows_the_size_of_the_pool():
    window = PrefetchWindow(4, 2)
    window.note(10.0, 10)
    assert window.size == 8
    window.resize(5)
    assert (window.size, window.concurrency) == (20, 5)
    window.resize(1)
    assert window.size == 4
