"""The step that listens to other workers: who is there, who has gone, and who does what one of them is to do."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from kombu import Consumer as KombuConsumer

from celeriac.bootsteps import ConsumerStep
from celeriac.worker.consumer.mingle import Mingle
from celeriac.worker.elections import Elections

if TYPE_CHECKING:
    from celeriac.contracts.loop import Timer
    from celeriac.events.worker import Worker
    from celeriac.worker.consumer.consumer import Consumer

logger = logging.getLogger("celeriac.worker.gossip")

#: So many heartbeats a second are read in full; of more, only who has sent them.
_READ_A_SECOND: Final = 50
_HEARTBEATS: Final = frozenset({"worker.heartbeat", "worker.online"})


class Gossip(ConsumerStep):
    """Left out by ``--without-gossip``.  The consumer's `gossip`.

    `on` has three sets of functions that are called with a worker (see `celeriac.events.state.Worker`): ``node_join``,
    ``node_leave`` (it has said good-bye) and ``node_lost`` (its heartbeats have stopped).
    """

    requires = (Mingle,)

    def __init__(self, parent: Consumer, without_gossip: bool = False, interval: float = 5.0, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self.enabled = not without_gossip
        self.app = parent.app
        self.hostname = parent.hostname
        #: The name of this run of the worker.
        self.full_hostname = f"{parent.hostname}.{os.getpid()}"
        self.interval = interval
        self.on = SimpleNamespace(node_join=set(), node_leave=set(), node_lost=set())
        #: Who does what a node was elected for, by topic.
        self.election_handlers: dict[str, Callable[[Any], Any]] = {"task": self.call_task}
        self._hub = parent.hub
        self._budget = Budget(_READ_A_SECOND)
        self._prunes: Timer | None = None
        self._receiver: Any = None

    def create(self, parent: Consumer) -> Gossip:
        parent.gossip = self
        #: The other workers, in `workers`.
        self.state = self.app.events.State(
            on_node_join=self.on_node_join, on_node_leave=self.on_node_leave, max_tasks_in_memory=1
        )
        self._elections = Elections(
            (self.hostname, os.getpid()),
            self._hub,
            lambda: parent.event_dispatcher,
            self._alive,
            self.election_handlers,
        )
        self._listens_to = {
            "worker.elect": self._elections.on_elect,
            "worker.elect.ack": self._elections.on_ack,
        }
        return self

    def start(self, c: Consumer) -> None:
        if c.event_dispatcher is None:
            return
        super().start(c)
        if self._prunes is None:
            self._prunes = self._hub.call_repeatedly(self.interval, self.periodic)

    def stop(self, c: Consumer) -> None:
        if self._prunes is not None:
            self._prunes.cancel()
            self._prunes = None
        if self.consumers is not None:
            super().stop(c)

    def get_consumers(self, channel: Any) -> list[Any]:
        """The consumer of other workers' events."""
        receiver = self._receiver = self.app.events.Receiver(channel, routing_key="worker.#")
        refusing = {"on_decode_error": receiver.on_decode_error}
        return [KombuConsumer(channel, queues=[receiver.queue], on_message=self.on_message, **refusing, no_ack=True)]

    # -- elections ----------------------------------------------------------------------------------------------------

    def election(self, id: str, topic: str, action: Any = None) -> None:
        """Stand in an election that all workers are asked to hold."""
        self._elections.hold(id, topic, action)

    def call_task(self, task: Any) -> None:
        """Send the task that this node was elected to send; `task` is its signature."""
        try:
            self.app.signature(task).apply_async()
        except Exception:
            logger.exception("The task that this node was elected to send was not sent: %.200r", task)

    def _alive(self) -> Iterator[str]:
        return (worker.hostname for worker in self.state.alive_workers())

    # -- messages -----------------------------------------------------------------------------------------------------

    def on_message(self, message: Any) -> None:
        """Take in one message of a worker."""
        routing_key = message.delivery_info.get("routing_key") or ""
        handler = self._listens_to.get(routing_key)
        if handler is not None:
            for _, event in self._receiver.events_in(message):
                handler(event)
            return
        hostname = (message.headers or {}).get("hostname")
        if hostname == self.hostname:
            return
        # Many workers send many heartbeats: who has sent one is known without reading it.
        if routing_key in _HEARTBEATS and not self._budget.spend():
            self._touch(hostname)
            return
        for _, event in self._receiver.events_in(message):
            if event.get("hostname") != self.hostname:
                self.state.event(event)

    def _touch(self, hostname: Any) -> None:
        worker = self.state.workers.data.get(hostname)
        if worker is not None:
            now = time.time()
            worker.on_heartbeat(now, now)

    # -- who comes and goes -------------------------------------------------------------------------------------------

    def periodic(self) -> None:
        """Forget the workers that are not heard of any more."""
        lost = [worker for worker in self.state.workers.data.values() if not worker.alive]
        for worker in lost:
            self.state.workers.pop(worker.hostname, None)
            self.on_node_lost(worker)
        if lost:
            self._elections.look_again()

    def on_node_join(self, worker: Worker) -> None:
        """A worker is there."""
        logger.debug("%s is there", worker.hostname)
        self._call(self.on.node_join, worker)

    def on_node_leave(self, worker: Worker) -> None:
        """A worker has said good-bye."""
        logger.debug("%s has left", worker.hostname)
        self._call(self.on.node_leave, worker)
        self._hub.call_soon(self._elections.look_again)

    def on_node_lost(self, worker: Worker) -> None:
        """A worker is not heard of any more."""
        logger.info("%s is not heard of any more", worker.hostname)
        self._call(self.on.node_lost, worker)

    def _call(self, callbacks: set[Callable[[Worker], Any]], worker: Worker) -> None:
        for callback in list(callbacks):
            try:
                callback(worker)
            except Exception:
                logger.exception("%r raised for the worker %s", callback, worker.hostname)


class Budget:
    """So many things may be done a second."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left = rate
        self._monotonic_end = 0.0

    def spend(self) -> bool:
        """Whether one more may be done."""
        now = time.monotonic()
        if now >= self._monotonic_end:
            self._monotonic_end = now + 1.0
            self._left = self._rate
        self._left -= 1
        return self._left >= 0
