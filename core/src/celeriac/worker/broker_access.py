"""How a worker reaches its broker: the connection, the lane on it, and trying until both are there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from celeriac.contracts.broker import LaneCapabilities
from celeriac.contracts.urls import mask_password
from celeriac.exceptions import CeleryError, WorkerShutdown
from celeriac.worker.backoff import Backoff
from celeriac.worker.begun.address import address_of
from celeriac.worker.begun.lane import journaled
from celeriac.worker.kombu_lane import KombuConsumerLane
from celeriac.worker.persistence import Persistence

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.broker import ConsumerLane
    from celeriac.contracts.loop import Timer
    from celeriac.worker.hub import WorkerHub

logger = logging.getLogger("celeriac.worker.broker")


class BrokerAccess:
    """One per consumer."""

    def __init__(
        self,
        app: Celery,
        hub: WorkerHub,
        is_loop_blocked: bool,
        on_void: Callable[[Collection[Any]], Collection[Any]],
        is_stopping: Callable[[], bool],
        give_up: Callable[[], None],
        worker: str = "",
    ) -> None:
        """`is_loop_blocked`: tasks keep the loop from turning, so nobody could answer heartbeats meanwhile.

        `give_up` is called where the broker was lost and the settings say not to try (any longer) to reach it.
        `worker` is the name of the worker, for those who find what it has left.
        """
        self.app = app
        self.connection: Any = None
        self._hub = hub
        self._is_loop_blocked = is_loop_blocked
        self._on_void = on_void
        self._is_stopping = is_stopping
        self._worker = worker
        self._lane: ConsumerLane | None = None
        self._prefetch = 0
        self._backoff = Backoff()
        self._persistence = Persistence(app, give_up)
        self._tries = 0
        #: Since when it is not known to answer; None while it does.
        self._monotonic_lost: float | None = None
        self._retry: Timer | None = None
        #: What is called when the pause between two tries is over.
        self._try_again: Callable[[], None] | None = None
        #: Called when it answers after it did not.
        self.on_return: Callable[[], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a lane."""
        return self._lane is not None

    @property
    def lane(self) -> ConsumerLane:
        """The lane.  Raises RuntimeError where there is none."""
        if self._lane is None:
            raise RuntimeError("the worker has no lane to its broker: it has not started, or has ended")
        return self._lane

    def uri(self) -> str:
        """The broker's URL as it may be shown."""
        url = self.app.broker_url(write=False)
        return mask_password(url if isinstance(url, str) else ";".join(url))

    def place(self) -> str:
        """Where the messages are kept, in a line for people; empty where the URL says it all."""
        connection = self.app.connection_for_read()
        describe = getattr(connection.transport_cls, "describe", None)
        if describe is None:
            return ""
        try:
            return str(describe(connection))
        except CeleryError as error:
            return str(error)

    # -- opening ------------------------------------------------------------------------------------------------------

    def open(self, queues: Sequence[Any], prefetch: int, on_ready: Callable[[], None]) -> ConsumerLane:
        """Connect, trying again as the settings say; the loop turns meanwhile.

        Raises `OperationalError` when the broker stays away, `WorkerShutdown` when the worker is told to stop.
        """
        conf = self.app.conf
        tries = conf.broker_connection_max_retries
        retry = conf.broker_connection_retry_on_startup
        if retry is None:
            retry = conf.broker_connection_retry
        backoff, done = Backoff(), 0
        while True:
            try:
                lane = self._open(queues, prefetch, on_ready)
            except self.app.connection_errors as error:
                if not retry or (tries and done >= tries):
                    raise self._explained(error) from error
                pause = backoff.pause()
                logger.error(
                    "Cannot reach the broker %s: %s. Trying again in %.1f s", self.uri(), sentence(error), pause
                )
                done += 1
                self._wait(pause)
            else:
                self._warn_of_losses(lane)
                return lane

    def _warn_of_losses(self, lane: ConsumerLane) -> None:
        """Say at the start what a kill would cost."""
        transport = self.connection.transport_cls
        # What is in this process alone is lost with it, whoever has claimed it.
        if LaneCapabilities.CLAIMS_RETURN not in lane.capabilities and transport.driver_type != "memory":
            logger.warning(
                "What this worker has taken and not finished is lost if it is killed: the broker %s does not give it"
                " back. Stop it with SIGTERM, or use another broker (docs/reference/capabilities.md)",
                self.uri(),
            )

    def _open(self, queues: Sequence[Any], prefetch: int, on_ready: Callable[[], None]) -> ConsumerLane:
        heartbeat = 0 if self._is_loop_blocked else self.app.conf.broker_heartbeat
        connection = self.app.connection_for_read(heartbeat=heartbeat)
        native = getattr(connection.transport_cls, "consumer_lane", None)
        lane: ConsumerLane
        try:
            if native is not None:
                lane = native(connection)
            else:
                conf = self.app.conf
                rate, is_strict = conf.broker_heartbeat_checkrate, conf.worker_disable_prefetch
                lane = KombuConsumerLane(connection, rate, is_strict)
            lane.on_void = self._on_void
            lane.on_lost = self._is_sought_again
            try:
                self._prefetch = prefetch
                lane.prefetch(prefetch)
                lane.open(queues, self._hub, on_ready)
                lane = self._with_trace(lane, connection, queues)
            except BaseException:
                lane.close()
                raise
        except BaseException:
            connection.release()
            raise
        self.connection, self._lane = connection, lane
        return lane

    def _with_trace(self, lane: ConsumerLane, connection: Any, queues: Sequence[Any]) -> ConsumerLane:
        """The lane, which remembers what has begun, if there is a way."""
        if connection.transport_cls.driver_type == "memory":
            return lane  # what is in this process alone is lost with it, begun or not
        return journaled(lane, address_of(connection), queues, self.app.conf.worker_journal_directory, self._worker)

    def _explained(self, error: BaseException) -> Exception:
        from kombu.exceptions import OperationalError

        return OperationalError(f"cannot reach the broker {self.uri()}: {error}")

    def _wait(self, pause: float) -> None:
        """Turn the loop for a while, so that a request to stop is heard.  Raises `WorkerShutdown` then."""
        over: list[bool] = []
        timer = self._hub.call_later(pause, over.append, True)
        while not over:
            if self._is_stopping():
                timer.cancel()
                raise WorkerShutdown(0)
            self._hub.run_once()

    # -- while it is open ---------------------------------------------------------------------------------------------

    def prefetch(self, limit: int) -> None:
        """Let a broker that pushes send so many; it is told only of changes that matter."""
        if limit > self._prefetch or limit < self._prefetch // 2:
            self._prefetch = limit
            self.lane.prefetch(limit)

    @property
    def is_away(self) -> bool:
        """Whether it did not answer the last time; whoever waits for it is called when it is time to try again."""
        return self._retry is not None

    @property
    def is_doubted(self) -> bool:
        """Whether something has failed, and it has not answered since."""
        return self._monotonic_lost is not None

    def _is_sought_again(self, error: BaseException, tries: int) -> bool:
        """The lane has lost its connection: whether it is to make another."""
        if self._monotonic_lost is None:
            self._monotonic_lost = time.monotonic()
        errors = () if self.connection is None else self.connection.channel_errors
        return self._persistence.lasts(error, tries, errors)

    def note_away(self, error: BaseException, try_again: Callable[[], None]) -> None:
        """It did not answer: `try_again` is called after a while, a longer one each time, as the settings say."""
        expected = isinstance(error, self.app.connection_errors)
        if self._monotonic_lost is None:
            self._monotonic_lost = time.monotonic()
        if expected and not self._is_sought_again(error, self._tries):
            return
        self._tries += 1
        pause = self._backoff.pause()
        logger.error(
            "Broker %s out of reach: %s. Trying again in %.1f s",
            self.uri(),
            sentence(error) if expected else repr(error),
            pause,
            exc_info=None if expected else error,
        )
        if self._retry is None:
            self._try_again = try_again
            self._retry = self._hub.call_later(pause, self.try_now)

    def try_now(self) -> None:
        """The time has come, or somebody else has reached the broker: the pause is over, if there is one."""
        if self._retry is not None and self._try_again is not None:
            self._retry.cancel()
            self._retry = None
            self._try_again()

    def note_answer(self) -> None:
        """It has answered."""
        if self._monotonic_lost is not None:
            logger.warning("Connected to the broker again, after %.1f s", time.monotonic() - self._monotonic_lost)
            self._monotonic_lost = None
            self._tries = 0
            self._backoff.reset()
            if self.on_return is not None:
                self.on_return()

    def close(self) -> None:
        """Close lane and connection; tolerates never opened and twice."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        lane, self._lane = self._lane, None
        connection, self.connection = self.connection, None
        for end in (lane.close if lane is not None else None, connection.release if connection is not None else None):
            if end is not None:
                try:
                    end()
                except Exception as error:  # noqa: BLE001  # the rest of the worker must end all the same
                    logger.error("The connection to the broker did not end well: %r", error)


def sentence(error: BaseException) -> str:
    """The text of an error, to be followed by a full stop."""
    return str(error).rstrip(".")


def no_stop() -> bool:
    """Nobody asks this worker to stop while it connects."""
    return False
