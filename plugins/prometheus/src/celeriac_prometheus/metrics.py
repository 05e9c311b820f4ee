"""What is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from celeriac.contracts import Outcome, OutcomeKind
from celeriac.exceptions import ImproperlyConfigured

#: The label of tasks that are not registered here.  Their names come with the message, and whoever can send
#: messages could otherwise fill the memory of the worker and of Prometheus with series.
UNKNOWN: Final = "(unknown)"

#: What each task's series begin with at 0, so that a rate sees the first of each kind.
_EXPECTED: Final = (OutcomeKind.SUCCESS, OutcomeKind.FAILURE, OutcomeKind.RETRY)


class Metrics:
    """The metrics of one app, in a registry of their own.

    `count` is called in the thread of the worker's loop; Prometheus' client reads in another.
    """

    def __init__(self, buckets: Iterable[float]) -> None:
        self.registry = CollectorRegistry()
        self._outcomes = Counter(
            "celeriac_task_outcomes",
            "Deliveries of tasks by how they ended; each ends in exactly one outcome.",
            ["task", "outcome"],
            registry=self.registry,
        )
        self._requeued = Counter(
            "celeriac_task_requeued",
            "Deliveries whose message went back to the queue to be delivered again.",
            ["task"],
            registry=self.registry,
        )
        self._runtimes = Histogram(
            "celeriac_task_runtime_seconds",
            "How long the code of tasks ran.",
            ["task"],
            buckets=_bounds(buckets),
            registry=self.registry,
        )
        self._by_queue = Counter(
            "celeriac_queue_outcomes",
            "Deliveries by the queue that they came from and how they ended.",
            ["queue", "outcome"],
            registry=self.registry,
        )
        self._depth = Gauge(
            "celeriac_queue_depth",
            "Messages that are ready in the queue, as this worker last saw it.",
            ["queue"],
            registry=self.registry,
        )
        self._letters = Gauge(
            "celeriac_dead_letters",
            "Dead letters of the queue, as this worker last saw them.",
            ["queue"],
            registry=self.registry,
        )
        self.up = Gauge("celeriac_worker_up", "1 while the worker runs.", ["hostname"], registry=self.registry)
        self._running = Gauge(
            "celeriac_jobs_running", "Tasks that the pool has, running or next.", registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        self._tasks: set[str] = set()
        #: Looking up a series by its labels costs more than counting, so each is looked up once.
        self._counting: dict[tuple[str, str], Callable[[], None]] = {}
        self._counting_queues: dict[tuple[str, str], Callable[[], None]] = {}
        self._observing: dict[str, Callable[[float], None]] = {}

    def expect(self, tasks: Iterable[str]) -> None:
        """Make the series of these tasks, and count all others as unknown."""
        for task in tasks:
            self._tasks.add(task)
            self._requeued.labels(task)
            self._observer(task)
            for kind in _EXPECTED:
                self._counter(task, kind)

    def watch_running(self, running: Callable[[], int]) -> None:
        """Ask `running` for the number of running tasks whenever the metrics are read, in the reader's thread."""
        self._running.set_function(running)

    def show_depth(self, queue: str, depth: int | None) -> None:
        """Messages that wait in the queue; None where that is not known, which must not be shown as if it were."""
        _show(self._depth, queue, depth)

    def show_dead_letters(self, queue: str, number: int | None) -> None:
        """Dead letters of the queue; None as above."""
        _show(self._letters, queue, number)

    def exposition(self) -> str:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry).decode()

    def count(self, outcome: Outcome) -> None:
        """The outcome listener."""
        task = outcome.task if outcome.task in self._tasks else UNKNOWN
        kind = outcome.kind.value
        (self._counting.get((task, kind)) or self._counter(task, kind))()
        queue_key = (outcome.queue, kind)
        count_queue = self._counting_queues.get(queue_key)
        if count_queue is None:
            count_queue = self._counting_queues[queue_key] = self._by_queue.labels(*queue_key).inc
        count_queue()
        if outcome.runtime is not None:
            (self._observing.get(task) or self._observer(task))(outcome.runtime)
        if outcome.requeued:
            self._requeued.labels(task).inc()

    def _counter(self, task: str, kind: str) -> Callable[[], None]:
        count = self._counting[task, str(kind)] = self._outcomes.labels(task, str(kind)).inc
        return count

    def _observer(self, task: str) -> Callable[[float], None]:
        observe = self._observing[task] = self._runtimes.labels(task).observe
        return observe


def _show(gauge: Gauge, queue: str, value: int | None) -> None:
    if value is not None:
        gauge.labels(queue).set(value)
        return
    with suppress(KeyError):  # raised by older clients for what is not there
        gauge.remove(queue)


def _bounds(buckets: Iterable[Any]) -> tuple[float, ...]:
    try:
        bounds = tuple(sorted({float(bound) for bound in buckets}))
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(
            f"the setting prometheus_runtime_buckets must be numbers of seconds: {error}"
        ) from None
    if not bounds:
        raise ImproperlyConfigured("the setting prometheus_runtime_buckets must name at least one number of seconds")
    return bounds
