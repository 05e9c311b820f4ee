"""One connection of a consumer lane: what comes on it, and what is said on it."""

# mypy: allow-untyped-calls

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from celeriac_amqp.channels import Channels
from celeriac_amqp.link import ERRORS, Link

if TYPE_CHECKING:
    from kombu.exceptions import OperationalError

    from celeriac.contracts.loop import EventLoop, Timer
    from celeriac_amqp.arrivals import Arrival

Answer = TypeVar("Answer")


class Intake:
    """Used until it is lost; then there is another.  Calls the lane back from the loop, never from within a call."""

    def __init__(
        self,
        link: Link,
        numbers: Iterator[int],
        loop: EventLoop,
        on_ready: Callable[[], None],
        on_lost: Callable[[Intake, OperationalError], None],
    ) -> None:
        """Connects; until `watch`, nothing is heard of what comes.  Raises `OperationalError`.

        `numbers` are those of its channels.
        `on_ready` is called when something has come unasked, `on_lost` once, soon after the connection has failed.
        """
        self._link, self._loop = link, loop
        self._on_ready, self._on_lost = on_ready, on_lost
        #: Messages that nobody has claimed.
        self.arrivals: deque[Arrival] = deque()
        #: Whether the connection is of no more use.
        self.is_failing = False
        #: The loop has just had all taken in that had come.
        self._is_fresh = False
        self._timers: list[Timer] = []
        self._fd = -1
        wire = self.wire = link.connect()
        try:
            self.channels = Channels(wire, numbers, self.arrivals.append)
        except ERRORS as error:
            link.drop()
            raise link.explained(error) from error

    def watch(self, heartbeat_rate: float) -> None:
        """Take in what comes from now on, and look after heartbeats so often in their interval."""
        wire = self.wire
        self._loop.add_reader(wire.sock, self._readable)
        self._fd = wire.sock.fileno()
        if wire.heartbeat:
            self._timers.append(self._loop.call_repeatedly(wire.heartbeat / heartbeat_rate, self._beat, heartbeat_rate))
        wire.handle_read()

    def _beat(self, rate: float) -> None:
        if not self.is_failing:
            try:
                self.wire.heartbeat_tick(rate=rate)
            except ERRORS as error:
                self.fail(error)

    # -- in -----------------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        before = len(self.arrivals)
        self.take()
        if len(self.arrivals) > before:
            self._is_fresh = True
            self._on_ready()

    def refresh(self) -> None:
        """As `take`, but for the first time after the loop has done so and asked for a claim."""
        if self._is_fresh:
            self._is_fresh = False
        else:
            self.take()

    def take(self) -> None:
        """Take in what has come, and do not wait."""
        if not self.is_failing:
            try:
                self.wire.take()
            except ERRORS as error:
                self.fail(error)

    # -- out ----------------------------------------------------------------------------------------------------------

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """What `question` gives, for which the server is waited for.  Raises `OperationalError`."""
        self._check()
        before = len(self.arrivals)
        try:
            answer = question()
            # More may have come behind the answer, and nobody would be told of it.
            self.wire.handle_read()
        except ERRORS as error:
            raise self.fail(error) from error
        if len(self.arrivals) > before:
            self._on_ready()
        return answer

    def say(self, acked: Sequence[int] = (), rejected: Sequence[int] = (), requeued: Sequence[int] = ()) -> None:
        """Tell the server, in one write.  Raises `OperationalError`."""
        self._check()
        channels = self.channels
        frames = channels.settling(acked, rejected, requeued)
        if frames:
            try:
                self.wire.say(frames)
            except ERRORS as error:
                raise self.fail(error) from error
            if channels.are_to_close:
                self.ask(channels.close_empty)

    def give_back(self, arrivals: Sequence[Arrival]) -> None:
        """Others may have these.  Raises `OperationalError`."""
        if arrivals:
            self.say(requeued=[arrival.tag for arrival in arrivals])
            gone = set(map(id, arrivals))
            kept = [arrival for arrival in self.arrivals if id(arrival) not in gone]
            self.arrivals.clear()
            self.arrivals.extend(kept)

    def _check(self) -> None:
        if self.is_failing:
            raise self._link.lost()

    # -- the end ------------------------------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> OperationalError:
        """The connection is of no more use; gives the error to raise.

        The lane hears of it soon, not at once: whoever called must come to its end before it is told which of its
        claims are void.
        """
        explained = self._link.explained(error)
        if not self.is_failing:
            self.is_failing = True
            self._stop_watching()
            self._loop.call_soon(self._on_lost, self, explained)
        return explained

    def _stop_watching(self) -> None:
        while self._timers:
            self._timers.pop().cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._fd = -1

    def drop(self) -> None:
        """Give up the connection, without a word."""
        self._stop_watching()
        self._link.drop()

    def close(self) -> None:
        """Take leave; the server takes back what was not acked when it hears that."""
        self._stop_watching()
        if self.is_failing:
            self._link.drop()
        self._link.close()
