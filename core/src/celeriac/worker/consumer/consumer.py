"""The heart of the worker: claims messages in batches, hands them to the pool, settles them in batches."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts.broker import ConsumerLane, Delivery, LaneCapabilities, OutgoingMessage, Settlements
from celeriac.contracts.outcome import Outcome, OutcomeKind
from celeriac.contracts.pool import Pool, Report
from celeriac.exceptions import ImproperlyConfigured, TaskRevokedError
from celeriac.worker.broker_access import BrokerAccess, no_stop
from celeriac.worker.cancelling import Cancelling
from celeriac.worker.dead_letters import DeadLetters
from celeriac.worker.endings import Endings
from celeriac.worker.farewell import take_leave
from celeriac.worker.ledger import Ledger
from celeriac.worker.limiter import rate_of
from celeriac.worker.listening import Listening
from celeriac.worker.losses import Losses
from celeriac.worker.next_try import has_another_try
from celeriac.worker.open_jobs import OpenJob, announce
from celeriac.worker.revoking import Revoking
from celeriac.worker.settlement import Verdict, verdict
from celeriac.worker.state import WorkerState
from celeriac.worker.stock import Stock
from celeriac.worker.strategy import Strategy
from celeriac.worker.upkeep import Upkeep
from celeriac.worker.window import PrefetchWindow

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.bootsteps import Blueprint
    from celeriac.contracts.pool import Job, Run
    from celeriac.events.dispatcher import EventDispatcher
    from celeriac.worker.boot import WorkController
    from celeriac.worker.consumer.gossip import Gossip
    from celeriac.worker.heartbeat import Heart
    from celeriac.worker.hub import WorkerHub
    from celeriac.worker.task_events import TaskEvents

logger = logging.getLogger("celeriac.worker.consumer")

#: Messages with an ETA that are held in memory, where the configuration sets no limit of its own.
_ETA_LIMIT: Final = 10_000

#: Ways to end in which no child can have stored the result.
_UNSTORED: Final = frozenset({OutcomeKind.WORKER_LOST, OutcomeKind.HARD_TIME_LIMIT, OutcomeKind.REVOKED})
#: Refusals whose messages are dropped, unless they are kept as dead letters.
_DROPPED: Final = frozenset(
    {OutcomeKind.UNKNOWN_TASK, OutcomeKind.INVALID, OutcomeKind.REJECTED, OutcomeKind.DELIVERY_LIMIT}
)


class Consumer:
    """One per worker; lives in the thread of the loop.

    A claimed message is in the stock (waiting for its time, for the pool, or with the pool) or waits for the result
    store (`Endings.debts`); the ledger counts them all, and knows what the broker has not been told yet.
    """

    #: The worker that it belongs to, for steps.
    controller: WorkController
    blueprint: Blueprint
    #: How it tells of itself, where it does: set by the steps of these names.
    event_dispatcher: EventDispatcher | None = None
    heart: Heart | None = None
    gossip: Gossip | None = None
    #: What the setting `worker_agent` names, while it runs.
    agent: Any = None

    def __init__(
        self,
        app: Celery,
        pool: Pool,
        hub: WorkerHub,
        hostname: str,
        queues: Sequence[Any],
        listeners: Sequence[Callable[[Outcome], None]] = (),
        prefetch_multiplier: int | None = None,
        is_stopping: Callable[[], bool] = no_stop,
    ) -> None:
        self.app = app
        self.pool = pool
        self.hub = hub
        self.timer = hub.timer
        self.hostname = hostname
        self.queues = list(queues)
        conf = app.conf
        multiplier = conf.worker_prefetch_multiplier if prefetch_multiplier is None else prefetch_multiplier
        self.window = PrefetchWindow(multiplier, pool.context.concurrency, conf.worker_disable_prefetch)
        self.broker = BrokerAccess(app, hub, pool.blocking, self._void, is_stopping, self._fail, hostname)
        self.state = WorkerState()
        self.strategy = Strategy(app, self.state.revocations)
        self.endings = Endings(app, hub, listeners)
        self._ledger = Ledger()
        self._losses = Losses(conf.task_max_worker_losses, app.results.backend)
        self._dead_letters = DeadLetters(app, hostname, self.queues)
        self.stock = Stock(pool, hub, self.wake)
        self.revoking = Revoking(self)
        self._cancelling = Cancelling(self)
        self.listening = Listening(self)
        self._upkeep = Upkeep(self)
        self._number = 0
        self._ends = 0
        self._watcher: TaskEvents | None = None
        self._scheduled = False
        self._claiming = False
        self._eta_limit: int = _ETA_LIMIT if conf.worker_eta_task_limit is None else conf.worker_eta_task_limit

    # -- life ---------------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Connect and declare the queues.

        Raises `OperationalError` when the broker stays away, `WorkerShutdown` when the worker is stopped meanwhile.
        """
        self.broker.open(self.queues, self.window.size, self.wake)

    def begin(self) -> None:
        """Begin to claim.  Raises `ImproperlyConfigured` where the rate limit of a task is none."""
        self._limit_rates()
        self.revoking.shared.read()
        self._claiming = True
        self._upkeep.start(self.lane)
        self.wake()

    def _limit_rates(self) -> None:
        if self.app.conf.worker_disable_rate_limits:
            return
        for name, task in self.app.tasks.items():
            if task.rate_limit:
                try:
                    self.stock.limiter.set(name, rate_of(task.rate_limit))
                except ValueError as error:
                    raise ImproperlyConfigured(f"rate_limit of task {name}: {error}") from None

    def _fail(self) -> None:
        """The broker is lost for good: what runs may end, and then the worker does."""
        self.controller.stop(exitcode=1)

    @property
    def connection(self) -> Any:
        """The Kombu connection, for steps that consume messages of their own; None before the start and at the end."""
        return self.broker.connection

    @property
    def lane(self) -> ConsumerLane:
        """The way to the broker, once there is one."""
        return self.broker.lane

    def pool_resized(self) -> None:
        """The pool runs another number of tasks at once than before."""
        self.window.resize(self.pool.num_processes)
        self.wake()

    def broker_uri(self) -> str:
        """The broker's URL as it may be shown."""
        return self.broker.uri()

    def stop_claiming(self) -> None:
        """Take nothing new, and give back what no child has started."""
        if self._claiming:
            self._claiming = False
            self.lane.stop_receiving()
        self._give_back(self.stock.take_not_started())
        self.settle_now()

    def close(self) -> None:
        """Settle what has ended, give back the rest, disconnect.  Tolerates never started and twice."""
        self._upkeep.stop()
        if not self.broker.is_open:
            return
        self.stop_claiming()
        take_leave(self)
        self.broker.close()

    def abandon_running(self) -> None:
        """The pool was terminated: what ran comes back if its ack was late, and is told of as lost if it was early."""
        for number in list(self.stock.jobs):
            self._ended(Report(number, OutcomeKind.WORKER_LOST, None, "the worker was stopped"), cold=True)

    @property
    def running(self) -> int:
        """Jobs that the pool has."""
        return len(self.stock.jobs)

    @property
    def ready(self) -> int:
        """Tasks that run, and that would if there were more room."""
        return len(self.stock.jobs) + len(self.stock.waiting)

    @property
    def held(self) -> int:
        """Messages that are claimed and not settled."""
        return self._ledger.held

    @property
    def untold(self) -> int:
        """Messages of which the broker has not been told yet what became of them."""
        return len(self._ledger)

    @property
    def is_claiming(self) -> bool:
        """Whether it takes new messages, and reaches the broker as far as it knows."""
        return self._claiming and not self.broker.is_away and not self.broker.is_doubted

    def figures(self) -> dict[str, int]:
        """What heartbeats tell: tasks that run, and that have ended."""
        return {"active": self.running, "processed": self._ends}

    def job(self, number: int) -> OpenJob | None:
        """A job that the pool has."""
        return self.stock.jobs.get(number)

    def watch(self, watcher: TaskEvents | None) -> None:
        """Have all that happens to tasks told to this one, from now on."""
        self._watcher = self.endings.watcher = watcher

    # -- the turn -----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something may be there to claim or to settle: have a turn soon, however often this is called until then."""
        if self.broker.is_away:
            self.lane.ended(self._ledger.acked)
        elif not self._scheduled:
            self._scheduled = True
            self.hub.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        if not self.broker.is_open or self.broker.is_away:
            return
        lane, batch = self.broker.lane, self._ledger.take()
        deliveries: list[Delivery] = []
        try:
            if self.broker.is_doubted:
                lane.probe()  # there may be nothing to claim and nothing to settle for long
            limit = self._appetite()
            if limit:
                deliveries = lane.turn(batch, limit)
            elif batch:
                lane.settle(batch)
        except Exception as error:  # noqa: BLE001  # whatever it is, what was to be said must be kept
            self._ledger.put_back(batch)
            self.broker.note_away(error, self.wake)
            return
        self.broker.note_answer()
        if deliveries:
            self._receive(deliveries)
            if len(deliveries) == limit:
                self.wake()
        self._dispatch()

    def _appetite(self) -> int:
        if not self._claiming:
            return 0
        # What waits for its time or its turn takes no room from what could run, up to a limit.
        waiting = self.stock.spared
        spared = min(waiting, self._eta_limit)
        if not self.window.is_unlimited:
            self.broker.prefetch(self.window.size + spared)
        elif waiting > self._eta_limit:
            return 0
        return self.window.appetite(self._ledger.held - spared)

    def settle_now(self) -> bool:
        """Tell the broker at once what there is to tell; False where that failed."""
        batch = self._ledger.take()
        try:
            if batch:
                self.lane.settle(batch)
        except Exception as error:  # noqa: BLE001  # as above
            self._ledger.put_back(batch)
            self.broker.note_away(error, self.wake)
            return False
        return True

    # -- in -----------------------------------------------------------------------------------------------------------

    def _receive(self, deliveries: Sequence[Delivery]) -> None:
        judge, add = self.strategy.judge, self.stock.add
        self._ledger.claimed(len(deliveries))
        monotonic_now, watcher = time.monotonic(), self._watcher
        if watcher is not None and not watcher.is_wanted:
            watcher = None
        for delivery in deliveries:
            self._number += 1
            found = judge(delivery, self._number)
            if isinstance(found, OpenJob):
                found.monotonic_since = monotonic_now
                add(found)
                if watcher is not None:
                    watcher.received(found)
            else:
                self._refuse_message(found.message, delivery.queue, delivery.tag, found.kind, found.error)

    def refuse(self, job: OpenJob, kind: OutcomeKind, error: Exception) -> None:
        """A message that has been taken out of the stock will not run."""
        self._refuse_message(job.job, job.queue, job.tag, kind, error)

    def _refuse_message(
        self,
        message: Job | Delivery,
        queue: str,
        tag: Any,
        kind: OutcomeKind,
        error: Exception | None,
        ack: bool = False,
    ) -> None:
        """A message that will not run: its result, its settlement, its outcome."""
        decided = Verdict.REJECT if kind in _DROPPED and not ack else Verdict.ACK
        decided, letter = self._kept(decided, message, queue, kind, None if error is None else repr(error))
        then, instead = self._settling(tag, decided), self._settling(tag, Verdict.REDELIVER)
        self.endings.refused(message, queue, kind, error, then, instead, letter)

    def _kept(
        self, decided: Verdict, message: Job | Delivery, queue: str, kind: OutcomeKind, error: str | None
    ) -> tuple[Verdict, OutgoingMessage | None]:
        """What is said of a message to the broker, and its dead letter where it is kept as one."""
        decided = self._dead_letters.final(decided, kind, queue)
        if decided is not Verdict.BURY:
            return decided, None
        return Verdict.ACK, self._dead_letters.letter(message, queue, kind, error)

    def _settling(self, tag: Any, decided: Verdict) -> Callable[[], None]:
        def settle() -> None:
            self._ledger.settle(tag, decided)
            self.wake()

        return settle

    # -- through ------------------------------------------------------------------------------------------------------

    def _to_begin(self) -> int:
        """How many early-acked messages may be begun now: without a trace only those that can start."""
        if LaneCapabilities.BEGIN_TRACE in self.lane.capabilities:
            return sys.maxsize
        return self.window.concurrency - len(self.stock.jobs)

    def _dispatch(self) -> None:
        """Hand over as much as the pool takes; what is acked early is settled first, in one go."""
        stock = self.stock
        jobs, expired = stock.next(self._to_begin())
        for job in expired:
            self.refuse(job, OutcomeKind.EXPIRED, TaskRevokedError("expired"))
        if not jobs:
            return
        early = [job.tag for job in jobs if job.early]
        if early:
            try:
                self.lane.settle(Settlements(begin=early))
            except Exception as error:  # noqa: BLE001  # whatever it is, these must not be forgotten
                stock.put_back(jobs)
                self.broker.note_away(error, self.wake)
                return
        if not stock.jobs:
            self._upkeep.note_activity()
        for job in jobs:
            stock.jobs[job.number] = job
        announce(self, jobs)
        self.pool.submit([job.job for job in jobs])

    def _give_back(self, jobs: Sequence[OpenJob]) -> None:
        self._ledger.give_back([job.tag for job in jobs])

    def give_back_excess(self, waited: float) -> None:
        """Give back messages beyond the prefetch window that have waited for so many seconds and are not started."""
        excess = self.window.excess(len(self.stock.waiting) + len(self.stock.jobs))
        given_back = self.stock.take_last(excess, time.monotonic() - waited) if excess else []
        if given_back:
            self._give_back(given_back)
            self.settle_now()
        self._dispatch()

    def _void(self, tags: Collection[Any]) -> set[Any]:
        """The broker has taken back these claims, as the connection was lost; gives those that will yet be settled."""
        dropped = self.stock.drop(set(tags))
        self._ledger.void(len(dropped))
        self.wake()
        return set(tags) - dropped - self._cancelling.end(tags)

    # -- out ----------------------------------------------------------------------------------------------------------

    def on_started(self, runs: list[Run]) -> None:
        """The pool tells which jobs have begun; asked for where events of tasks are sent."""
        if self._watcher is not None:
            self._watcher.started(runs)

    def on_reports(self, reports: list[Report]) -> None:
        """The pool tells how jobs have ended."""
        self._upkeep.note_activity()
        self._ends += len(reports)
        runtimes = [report.runtime for report in reports if report.runtime is not None]
        for report in reports:
            self._ended(report)
        self.window.note(sum(runtimes), len(runtimes))
        self.wake()

    def _ended(self, report: Report, cold: bool = False) -> None:
        job = self.stock.jobs.pop(report.number, None)
        if job is None:
            return
        if (cold and not job.early) or self._cancelling.is_cancelled(report):
            decided = Verdict.REDELIVER
        else:
            decided = verdict(report.kind, job.task, job.early, report.requeue)
            if report.kind is OutcomeKind.WORKER_LOST:
                report, decided = self._lost(job, report, decided)
            elif self._losses:
                self._losses.forget(job.id)
        letter = None
        if decided is Verdict.REJECT or decided is Verdict.BURY:
            decided, letter = self._kept(decided, job.job, job.queue, report.kind, report.detail)
        self.state.total[job.name] += 1
        signum = self.revoking.signals.pop(report.number, None) if self.revoking.signals else None
        if report.kind in _UNSTORED and decided is not Verdict.REDELIVER:
            # Nobody has stored what became of it; the ack follows when that has been done.
            then, instead = self._settling(job.tag, decided), self._settling(job.tag, Verdict.REDELIVER)
            self.endings.lost(job, report, then, instead, letter, signum)
        elif letter is not None:
            self.endings.bury(letter, self._settling(job.tag, decided), self._settling(job.tag, Verdict.REDELIVER))
        else:
            self._ledger.settle(job.tag, decided)
        self.endings.ended(job, report, decided is Verdict.REDELIVER, signum)

    def _lost(self, job: OpenJob, report: Report, decided: Verdict) -> tuple[Report, Verdict]:
        """What becomes of a message whose process has died."""
        bounded = self._losses.bound(job.id, report, decided)
        if bounded[1] is not Verdict.REDELIVER and has_another_try(job):
            return report, Verdict.ACK  # sent once more as another message: this one is neither dropped nor kept
        return bounded

    def tell_of_lost(self, deliveries: Sequence[Delivery], succeeded: Mapping[str, Any]) -> None:
        """Tasks that other workers had begun when they died; what some have returned all the same, by their ids."""
        self._ledger.claimed(len(deliveries))
        for delivery in deliveries:
            self._number += 1
            judged = self.strategy.begun(delivery, self._number)
            if isinstance(judged, OpenJob) and judged.id in succeeded:
                self.endings.had_succeeded(judged, succeeded[judged.id], self._settling(judged.tag, Verdict.ACK))
            elif isinstance(judged, OpenJob):
                self.stock.jobs[judged.number] = judged
                self._ended(Report(judged.number, OutcomeKind.WORKER_LOST, None, "its worker died"))
            else:
                self._refuse_message(judged.message, delivery.queue, delivery.tag, judged.kind, judged.error, ack=True)
