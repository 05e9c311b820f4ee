"""Lets Kombu deliver what arrives on a connection, from the worker's loop, and connects again when that is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from celeriac.worker.backoff import Backoff
from celeriac.worker.lent_loop import LentLoop

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer

logger = logging.getLogger("celeriac.worker.pump")

#: Seconds between two looks at a transport that cannot wake the loop: while messages come, and at most.
_SOONEST: Final = 0.01
_LATEST: Final = 0.2
#: Messages taken from such a transport before everything else has its turn.
_AT_ONCE: Final = 100
#: So many errors in a row that are not the connection's count as its loss all the same, or the loop would spin.
_FAILURES: Final = 10
#: Seconds that a connection which is given up has for its farewell.
_FAREWELL: Final = 1.0


class Listener(NamedTuple):
    """Who wants to know of a connection."""

    #: Called whenever it is there; may raise, and then it counts as lost.
    on_connected: Callable[[], None]
    #: Called when it is lost, before it is given up; also where `on_connected` was not called or has raised.
    on_lost: Callable[[], None]
    #: Called with the error when it is lost, and after each try in vain with the number of those: whether to try again.
    is_sought: Callable[[BaseException, int], bool] | None = None


class KombuPump:
    """One connection, turned by one loop."""

    def __init__(self, connection: Any, loop: EventLoop, heartbeat_rate: float = 3.0, used_for: str = "") -> None:
        """`used_for` says in the log what the connection is for, where the worker's messages do not come by it."""
        self._used_for = used_for and f" ({used_for})"
        #: Why there is no connection, where there was one.
        self.last_error: BaseException | None = None
        self.connection = connection
        self._loop = loop
        self._heartbeat_rate = heartbeat_rate
        self._listeners: list[Listener] = []
        self._lent: LentLoop | None = None
        self._backoff = Backoff()
        self._tries = 0
        self._reconnecting: Timer | None = None
        self._look_timer: Timer | None = None
        self._look_pause = _SOONEST
        self._polls = False
        latest = connection.transport_options.get("polling_interval")
        self._latest = _LATEST if latest is None else max(float(latest), _SOONEST)

    # -- life ---------------------------------------------------------------------------------------------------------

    def open(self, listener: Listener) -> None:
        """Connect and begin.  Raises what the transport or the listener raises, and then nothing is open."""
        self._listeners.append(listener)
        try:
            self._connect()
        except BaseException:
            self._listeners.clear()
            self._give_up()
            raise

    def join(self, listener: Listener) -> None:
        """Let one more use the connection; told at once if that is there.  Raises what `on_connected` raises."""
        if self.is_connected:
            listener.on_connected()
        self._listeners.append(listener)

    def close(self) -> None:
        """End, without a word to the listeners; the connection is the caller's.  Tolerates never opened and twice."""
        self._listeners.clear()
        self._stop_turning()
        if self._reconnecting is not None:
            self._reconnecting.cancel()
            self._reconnecting = None

    @property
    def is_connected(self) -> bool:
        """Whether messages can come."""
        return self._lent is not None

    def try_now(self) -> None:
        """Somebody else has reached the broker: connect soon, where that is still to be tried."""
        if self._reconnecting is not None:
            self._reconnecting.cancel()
            self._reconnecting = self._loop.call_later(0.0, self._reconnect)

    def hurry(self) -> None:
        """There is room for more: a transport that has to be asked is asked soon."""
        if self._polls and self._look_timer is not None and self._look_pause > _SOONEST:
            self._look_timer.cancel()
            self._look_pause = _SOONEST
            self._look_later(0.0)

    # -- connecting ---------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        connection = self.connection
        # One try with each URL: who waits for more must not stop the loop.
        connection.ensure_connection(max_retries=max(len(connection.alt) - 1, 0))
        lent = self._lent = LentLoop(self._loop, self._failed)
        for listener in self._listeners:
            listener.on_connected()
        transport = connection.transport
        self._polls = not transport.implements.asynchronous
        if self._polls:
            self._look_pause = _SOONEST
            self._look_later(0.0)
        else:
            transport.register_with_event_loop(connection.connection, lent)
        interval = connection.get_heartbeat_interval()
        if interval:
            rate = self._heartbeat_rate
            lent.call_repeatedly(interval / rate, connection.heartbeat_check, rate)

    def _stop_turning(self) -> None:
        lent, self._lent = self._lent, None
        if lent is not None:
            lent.end()
        if self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None

    def _failed(self, error: Exception) -> None:
        """A callback of the transport, or of whoever consumes, has raised."""
        if isinstance(error, self._errors):
            self.lost(error)
            return
        logger.error("Error while messages were delivered: %r", error, exc_info=error)
        if self._lent is not None and self._lent.failures >= _FAILURES:
            self.lost(error)

    @property
    def _errors(self) -> tuple[type[BaseException], ...]:
        return (OSError, *self.connection.connection_errors, *self.connection.channel_errors)

    def lost(self, error: BaseException) -> None:
        """The connection is lost: give it up, and try until there is another."""
        if self._lent is None:
            return
        logger.error("Connection to the broker lost%s: %s", self._used_for, _text(error))
        self._stop_turning()
        self._tell_lost()
        self._give_up()
        self._tries = 0
        self._try_later(error)

    def _tell_lost(self) -> None:
        for listener in self._listeners:
            try:
                listener.on_lost()
            except Exception:
                logger.exception("%r raised while a connection was given up", listener.on_lost)

    def _give_up(self) -> None:
        self._stop_turning()
        try:
            self.connection.collect(_FAREWELL)
        except Exception as error:  # noqa: BLE001  # it is of no more use, whatever it says
            logger.debug("The lost connection was given up with %r", error)

    def _try_later(self, error: BaseException) -> None:
        self.last_error = error
        if any(each.is_sought is not None and not each.is_sought(error, self._tries) for each in self._listeners):
            return
        pause = self._backoff.pause()
        self._reconnecting = self._loop.call_later(pause, self._reconnect)

    def _reconnect(self) -> None:
        self._reconnecting = None
        try:
            self._connect()
        except Exception as error:  # noqa: BLE001  # also errors of a queue that is declared again: all can pass
            self._tell_lost()
            self._give_up()
            self._tries += 1
            # The worker itself tells of its tries, and of the first that is not in vain.
            logger.debug("The broker is still out of reach%s: %s", self._used_for, _text(error))
            self._try_later(error)
            return
        self._backoff.reset()
        logger.info("Connected again%s", self._used_for)

    # -- transports that have to be asked -----------------------------------------------------------------------------

    def _look_later(self, pause: float) -> None:
        assert self._lent is not None
        self._look_timer = self._lent.call_later(pause, self._look)

    def _look(self) -> None:
        found = 0
        try:
            while found < _AT_ONCE:
                self.connection.drain_events(timeout=0)
                found += 1
        except TimeoutError:  # nothing more has come
            pass
        finally:
            # Also after an error that is not the connection's; one that is ends the loan, and with it this timer.
            self._look_pause = _SOONEST if found else min(self._look_pause * 1.5, self._latest)
            if self._lent is not None:
                self._look_later(0.0 if found == _AT_ONCE else self._look_pause)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else repr(error)
