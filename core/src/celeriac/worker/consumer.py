"""The heart of the worker: claims messages in batches, hands them to the pool, settles them in batches."""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from celeriac import signals
from celeriac.contracts.broker import ConsumerLane, Delivery, LaneCapabilities, Settlements
from celeriac.contracts.outcome import Outcome, OutcomeKind
from celeriac.contracts.pool import Pool, Report
from celeriac.worker.endings import Endings
from celeriac.worker.kombu_lane import KombuConsumerLane
from celeriac.worker.open_jobs import OpenJob
from celeriac.worker.settlement import Verdict, verdict
from celeriac.worker.strategy import Strategy
from celeriac.worker.window import PrefetchWindow

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.loop import EventLoop

logger = logging.getLogger("celeriac.worker.consumer")

#: Seconds between two looks for begun messages whose worker has died.
_LOST_INTERVAL: Final = 5.0
#: Seconds between two attempts to reach the broker: the first, and the longest.
_RETRY_FIRST: Final = 0.2
_RETRY_MOST: Final = 30.0


class Consumer:
    """One per worker; lives in the thread of the loop."""

    def __init__(
        self,
        app: Celery,
        pool: Pool,
        hub: EventLoop,
        hostname: str,
        queues: Sequence[Any],
        listeners: Sequence[Callable[[Outcome], None]] = (),
        prefetch_multiplier: int | None = None,
    ) -> None:
        self.app = app
        self.pool = pool
        self.hub = hub
        self.hostname = hostname
        self.queues = list(queues)
        conf = app.conf
        multiplier = conf.worker_prefetch_multiplier if prefetch_multiplier is None else prefetch_multiplier
        self.window = PrefetchWindow(multiplier, pool.context.concurrency, conf.worker_disable_prefetch)
        self.connection: Any = None
        self.lane: ConsumerLane
        self.strategy = Strategy(app)
        self.endings = Endings(app, listeners)
        #: Claimed, not yet handed to the pool.
        self._waiting: deque[OpenJob] = deque()
        self._jobs: dict[int, OpenJob] = {}
        self._held = 0
        self._number = 0
        self._settle = Settlements()
        self._scheduled = False
        self._claiming = False
        self._timers: list[Any] = []
        self._pause = _RETRY_FIRST
        self._traced = False

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, declare the queues and begin to claim.  Raises `OperationalError` when the broker stays away."""
        self._connect()
        self._claiming = True
        self._find_lost()
        self._timers.append(self.hub.call_repeatedly(_LOST_INTERVAL, self._find_lost))
        if self.lane.renew_interval:
            self._timers.append(self.hub.call_repeatedly(self.lane.renew_interval, self._renew))
        self.wake()

    def _connect(self) -> None:
        conf = self.app.conf
        self.connection = self.app.connection_for_read()
        native = getattr(self.connection.transport_cls, "consumer_lane", None)
        tries = conf.broker_connection_max_retries
        retry = conf.broker_connection_retry_on_startup is not False and conf.broker_connection_retry
        pause, done = _RETRY_FIRST, 0
        while True:
            lane = native(self.connection) if native is not None else KombuConsumerLane(self.connection)
            lane.prefetch(self.window.size)
            try:
                lane.open(self.queues, self.hub, self.wake)
            except self.app.connection_errors as error:
                lane.close()
                if not retry or (tries and done >= tries):
                    raise
                logger.error("Cannot reach the broker %s: %s. Trying again in %.1f s", self.broker_uri(), error, pause)
                done += 1
                time.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  # spreads load, hides nothing
                pause = min(pause * 2, _RETRY_MOST)
                continue
            self.lane = lane
            self._traced = LaneCapabilities.BEGIN_TRACE in lane.capabilities
            return

    def broker_uri(self) -> str:
        """The broker's URL as it may be shown."""
        from celeriac.contracts.urls import mask_password

        url = self.app.broker_url(write=False)
        return mask_password(url if isinstance(url, str) else ";".join(url))

    def stop_claiming(self) -> None:
        """Take nothing new, and give back what no child has started."""
        self._claiming = False
        for number in self.pool.take_back():
            job = self._jobs.pop(number)
            self._settle.requeue.append(job.tag)
            self._held -= 1
        while self._waiting:
            self._settle.requeue.append(self._waiting.popleft().tag)
            self._held -= 1
        self._settle_now()

    def close(self) -> None:
        """Settle what has ended, give back the rest, disconnect.  Tolerates never started and twice."""
        while self._timers:
            self._timers.pop().cancel()
        if self.connection is None:
            return
        self._claiming = False
        self.endings.flush()
        self._settle_now()
        self.lane.close()
        self.connection.release()
        self.connection = None

    def abandon_running(self) -> None:
        """The pool was terminated: what ran comes back if its ack was late, and is told of as lost if it was early."""
        for job in list(self._jobs.values()):
            self._ended(Report(job.number, OutcomeKind.WORKER_LOST, None, "the worker was stopped"), cold=True)
        self._jobs.clear()

    @property
    def running(self) -> int:
        """Jobs that the pool has."""
        return len(self._jobs)

    # -- the turn -----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something may be there to claim or to settle: have a turn soon, however often this is called until then."""
        if not self._scheduled:
            self._scheduled = True
            self.hub.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        limit = self.window.appetite(self._held) if self._claiming else 0
        batch, self._settle = self._settle, Settlements()
        try:
            if limit:
                deliveries = self.lane.turn(batch, limit)
            else:
                deliveries = []
                if batch:
                    self.lane.settle(batch)
        except self.app.connection_errors as error:
            self._out_of_reach(batch, error)
            return
        self._pause = _RETRY_FIRST
        if deliveries:
            self._receive(deliveries)
            if len(deliveries) == limit:
                self.wake()
        self._dispatch()

    def _settle_now(self) -> None:
        batch, self._settle = self._settle, Settlements()
        if batch:
            try:
                self.lane.settle(batch)
            except self.app.connection_errors as error:
                self._out_of_reach(batch, error)

    def _out_of_reach(self, batch: Settlements, error: BaseException) -> None:
        """The broker did not answer: keep what was to be said, and try again, less and less often."""
        kept = self._settle
        for name in ("ack", "begin", "requeue", "redeliver", "reject"):
            getattr(kept, name)[:0] = getattr(batch, name)
        pause = self._pause * random.uniform(0.8, 1.2)  # noqa: S311  # spreads load, hides nothing
        logger.error("Broker %s out of reach: %s. Trying again in %.1f s", self.broker_uri(), error, pause)
        self._pause = min(self._pause * 2, _RETRY_MOST)
        self.hub.call_later(pause, self.wake)

    # -- in -----------------------------------------------------------------------------------------------------------

    def _receive(self, deliveries: Iterable[Delivery]) -> None:
        judge = self.strategy.judge
        for delivery in deliveries:
            self._number += 1
            found = judge(delivery, self._number)
            if isinstance(found, OpenJob):
                self._held += 1
                if found.delay is not None:
                    self._timers_for(found)
                else:
                    self._waiting.append(found)
            else:
                self._refuse(delivery, *found)

    def _timers_for(self, job: OpenJob) -> None:
        """A message with an ETA that the lane does not hold: wait here, claimed."""

        def due() -> None:
            if self._claiming:
                self._waiting.append(job)
                self.wake()
            else:
                self._settle.requeue.append(job.tag)

        assert job.delay is not None
        self.hub.call_later(job.delay, due)

    def _refuse(self, delivery: Delivery, kind: OutcomeKind, error: Exception | None) -> None:
        """A message that will not run: its result, its settlement, its outcome."""
        if kind in {OutcomeKind.UNKNOWN_TASK, OutcomeKind.INVALID, OutcomeKind.REJECTED}:
            logger.error(
                "Message of task %s[%s] refused: %s", delivery.headers.get("task"), delivery.headers.get("id"), error
            )
            self._settle.reject.append(delivery.tag)
        else:
            self._settle.ack.append(delivery.tag)
        self.endings.refused(delivery, kind, error)
        self.wake()

    # -- through ------------------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        """Hand over as much as the pool takes; what is acked early is settled first, in one go."""
        waiting, jobs = self._waiting, []
        room = self.pool.room()
        while waiting and room > 0:
            room -= 1
            jobs.append(waiting.popleft())
        if not jobs:
            return
        early = [job.tag for job in jobs if job.early]
        if early:
            try:
                self.lane.settle(Settlements(begin=early))
            except self.app.connection_errors as error:
                waiting.extendleft(reversed(jobs))
                self._out_of_reach(Settlements(), error)
                return
        held = self._jobs
        for job in jobs:
            held[job.number] = job
        if signals.task_received:
            for job in jobs:
                signals.task_received.send(sender=self, request=job)
        if logger.isEnabledFor(logging.INFO):
            for job in jobs:
                logger.info("Task %s[%s] received", job.job.headers["task"], job.job.headers["id"])
        self.pool.submit([job.job for job in jobs])

    # -- out ----------------------------------------------------------------------------------------------------------

    def on_reports(self, reports: list[Report]) -> None:
        """The pool tells how jobs have ended."""
        total = 0.0
        for report in reports:
            total += report.runtime or 0.0
            self._ended(report)
        self.window.note(total, len(reports))
        self.wake()

    def _ended(self, report: Report, cold: bool = False) -> None:
        job = self._jobs.pop(report.number, None)
        if job is None:
            return
        self._held -= 1
        if cold and not job.early:
            decided = Verdict.REDELIVER
        else:
            decided = verdict(report.kind, job.task, job.early, report.requeue)
        tag = job.tag
        if report.kind in {OutcomeKind.WORKER_LOST, OutcomeKind.HARD_TIME_LIMIT} and decided is not Verdict.REDELIVER:
            # Nobody has stored what became of it; the ack follows when that has been done.
            self.endings.lost(job, report, lambda: self._apply(decided, tag))
        else:
            self._apply(decided, tag)
        self.endings.ended(job, report, requeued=decided is Verdict.REDELIVER)

    def _apply(self, decided: Verdict, tag: Any) -> None:
        if decided is Verdict.ACK:
            self._settle.ack.append(tag)
        elif decided is Verdict.REJECT:
            self._settle.reject.append(tag)
        else:
            self._settle.redeliver.append(tag)

    # -- upkeep -------------------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        try:
            self.lane.renew()
        except self.app.connection_errors as error:
            logger.error("Could not renew the leases of %d messages: %s", self._held, error)

    def _find_lost(self) -> None:
        """Tasks that another worker had begun when it died."""
        if not self._traced:
            return
        try:
            found = self.lane.lost()
        except self.app.connection_errors as error:
            logger.error("Could not look for tasks of dead workers: %s", error)
            return
        for delivery in found:
            self._number += 1
            judged = self.strategy.judge(delivery, self._number)
            if not isinstance(judged, OpenJob):
                self._refuse(delivery, *judged)
                continue
            judged.early = True
            self._held += 1
            self._jobs[judged.number] = judged
            self._ended(Report(judged.number, OutcomeKind.WORKER_LOST, None, "its worker died"))
        if found:
            self.endings.flush()
            self.wake()
