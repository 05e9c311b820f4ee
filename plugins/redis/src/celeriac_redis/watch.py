"""Telling the worker's loop when there may be something to claim."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from celeriac_redis.bell import watch

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer
    from celeriac_redis.bell import Bell
    from celeriac_redis.claims import Claims
    from celeriac_redis.link import Link
    from celeriac_redis.scripts import Command

logger = logging.getLogger("celeriac.redis")

#: Seconds between two looks where the server does not tell of changes.
_POLL: Final = 0.02
#: What the server says when the bell's connection is lost, and nobody here has noticed yet.
_NO_SUCH_CLIENT: Final = "does not exist"
#: Seconds before the bell is connected again, and at most.
_RETRY_FIRST: Final = 0.1
_RETRY_MOST: Final = 2.0
#: The longest, in seconds, that a worker hangs back that was called in vain: in an idle fleet one message
#: wakes all, and only one gets it.
_HANG_BACK: Final = 0.01
_HANG_BACK_FIRST: Final = 0.001


class Watch:
    """Calls `on_ready` when the bell rings or a message comes due; all in the thread of the loop."""

    def __init__(
        self,
        link: Link,
        bell: Bell,
        claims: Claims,
        loop: EventLoop,
        on_ready: Callable[[], None],
        on_broadcast: Callable[[bytes, bytes], None],
    ) -> None:
        self._link = link
        self._bell = bell
        self._claims = claims
        self._loop = loop
        self._on_ready = on_ready
        self._on_broadcast = on_broadcast
        self._running = False
        self._descriptor: int | None = None
        self._timers: dict[str, Timer] = {}
        self._pause = _RETRY_FIRST
        self._in_vain = 0
        self._told = True
        self._due_at: float | None = None

    # -- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, with the bell open and the link connected."""
        self._running = True
        self._listen()
        self.ready_soon()

    def listen_for(self, link: Link) -> None:
        """Have the server tell of what this connection looks at; called whenever there is a new connection."""
        if self._running:
            self._follow(link)
        error = self._bell.tracking(link)
        if error is None:
            self._told = True
            return
        told, self._told = self._told, False
        if _NO_SUCH_CLIENT in str(error):
            logger.debug("the connection that tells of arrivals is lost as well: %s", error)
        elif told:
            logger.warning(
                "the server does not tell of changes (%s): it is asked %d times a second instead; use Redis 6.2 or"
                " newer, or Valkey, and grant `+client|tracking +client|caching`",
                error,
                1 / _POLL,
            )

    def _follow(self, link: Link) -> None:
        """Have the bell where the link is: the primary may have changed, or our keys have moved."""
        if self._bell.address != link.address:
            self._deafen()
            try:
                self._bell.open()
            except OperationalError as error:
                self._lost(error)
            else:
                self._listen()
        self.ready_soon()  # whatever came to the new place, nobody was told of

    def stop(self) -> None:
        """End; harmless when repeated."""
        self._running = False
        self._deafen()
        for timer in self._timers.values():
            timer.cancel()
        self._timers = {}
        self._bell.close()

    # -- around a claim ---------------------------------------------------------------------------

    def look(self) -> Sequence[Command]:
        """The commands to send along with a claim: none while there is a backlog."""
        return self._looks() if self._claims.exhausted and self._told else ()

    def _looks(self) -> list[Command]:
        names = [name for name, _ in self._claims.keys.by_priority(self._claims.queues)]
        looks = watch(("ZRANGE", self._claims.keys.eta, 0, 0, "WITHSCORES"))
        return [*looks, *watch(("EXISTS", *names))] if names else [*looks]

    def claimed(self, count: int, limit: int, answers: Sequence[Any]) -> None:
        """After each claim: how much it was to take and took, and the answers to `look`."""
        if count:
            self._in_vain = 0
        if not self._claims.exhausted:
            if count < limit:  # the rest was not due and has been put away; there may be more behind it
                self.ready_soon()
            return
        if not self._told:
            self._poll_later()
        elif not answers:
            answers = self._link.try_all(*self._looks())
        self._arm(self._claims.next_due)
        if answers:
            self._heed(answers)

    def _heed(self, answers: Sequence[Any]) -> None:
        if any(isinstance(answer, RedisError) for answer in answers):
            self._poll_later()
            return
        held = answers[1]
        if held and self._claims.next_due is None:
            self.ready_soon()  # put away after the claim and before the look: the next claim tells when it is due
        if len(answers) > 2 and answers[3]:
            self.ready_soon()

    def check(self) -> None:
        """Called every now and then: find out about a bell that is dead without a word."""
        if self._descriptor is None:
            return
        try:
            self._bell.ping()
        except OperationalError as error:
            self._lost(error)

    # -- the bell ---------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._descriptor = self._bell.fileno()
        self._loop.add_reader(self._descriptor, self._rung)

    def _deafen(self) -> None:
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            self._descriptor = None

    def _rung(self) -> None:
        broadcasts = False
        try:
            for pattern, payload in self._bell.messages():
                self._on_broadcast(pattern, payload)
                broadcasts = True
        except OperationalError as error:
            self._lost(error)
            return
        self._pause = _RETRY_FIRST
        if broadcasts or not self._in_vain:
            self._in_vain += 1
            self._ready()
        elif "back" not in self._timers:
            most = min(_HANG_BACK, _HANG_BACK_FIRST * 2 ** min(self._in_vain, 10))
            self._in_vain += 1
            self._later("back", random.uniform(0, most), self._ready)  # noqa: S311  # spreads load, hides nothing

    def _lost(self, error: Exception) -> None:
        logger.info("The connection that tells of arrivals is lost and will be made again: %s", error)
        self._deafen()
        self._bell.close()
        self._later("bell", self._pause, self._reopen)

    def _reopen(self) -> None:
        try:
            self._bell.open()
            if self._link.connected and self._link.address != self._bell.address:
                self._link.close()  # its next use finds the same server
            if self._link.connected:
                self.listen_for(self._link)
        except OperationalError as error:
            logger.debug("still no connection that tells of arrivals: %s", error)
            self._pause = min(self._pause * 2, _RETRY_MOST)
            self._later("bell", self._pause, self._reopen)
        else:
            self._listen()
        self._ready()  # something may have come meanwhile; and without a bell, this is how we look

    # -- timers -----------------------------------------------------------------------------------

    def ready_soon(self) -> None:
        """Call `on_ready` at the next turn of the loop."""
        self._loop.call_soon(self._ready)

    def _ready(self) -> None:
        if self._running:
            self._on_ready()

    def _poll_later(self) -> None:
        if "poll" not in self._timers:
            self._later("poll", _POLL, self._ready)

    def _arm(self, next_due: tuple[float, float] | None) -> None:
        """Have a claim made when the next message is due, by the clock of the server."""
        due_at = None if next_due is None else next_due[0]
        if due_at == self._due_at:
            return
        self._due_at = due_at
        old = self._timers.pop("due", None)
        if old is not None:
            old.cancel()
        if next_due is not None:
            self._later("due", max(0.0, next_due[0] - next_due[1]), self._now_due)

    def _now_due(self) -> None:
        self._due_at = None
        self._ready()

    def _later(self, name: str, delay: float, call: Callable[[], None]) -> None:
        """Call once; of each name there is one at a time."""

        def called() -> None:
            self._timers.pop(name, None)
            if self._running:
                call()

        old = self._timers.pop(name, None)
        if old is not None:
            old.cancel()
        self._timers[name] = self._loop.call_later(delay, called)
