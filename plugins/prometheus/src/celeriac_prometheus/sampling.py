"""The consumer's step that looks at what no outcome tells: how much waits, how much runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from celeriac.bootsteps import StartStopStep
from celeriac.protocol.dead_letter import dead_letter_queue

if TYPE_CHECKING:
    from celeriac_prometheus.metrics import Metrics

logger = logging.getLogger("celeriac_prometheus")


def sampling_step(metrics: Metrics, interval: float) -> type[StartStopStep]:
    """The step that looks every `interval` seconds, 0 for never, while its consumer is connected."""

    class Sampling(StartStopStep):
        name = "celeriac_prometheus.Sampling"

        def start(self, parent: Any) -> None:
            self.obj = None
            metrics.up.labels(parent.hostname).set(1)
            metrics.watch_running(lambda: int(parent.running))
            if interval:
                self.obj = parent.hub.call_repeatedly(interval, sample, metrics, parent)
                sample(metrics, parent)

        def stop(self, parent: Any) -> None:
            metrics.up.labels(parent.hostname).set(0)
            if self.obj is not None:
                self.obj.cancel()
                self.obj = None
            for queue in parent.queues:
                metrics.show_depth(queue.name, None)
                metrics.show_dead_letters(queue.name, None)

    return Sampling


def sample(metrics: Metrics, consumer: Any) -> None:
    """Look at each queue of the consumer once; from the thread of its loop."""
    for queue in consumer.queues:
        metrics.show_depth(queue.name, _depth(consumer, queue.name))
        metrics.show_dead_letters(queue.name, _depth(consumer, dead_letter_queue(queue.name)))


def _depth(consumer: Any, queue: str) -> int | None:
    try:
        depth: int | None = consumer.lane.depth(queue)
    except consumer.app.connection_errors as error:
        logger.debug("The depth of the queue %s is not known: %s", queue, error)
        return None
    return depth
