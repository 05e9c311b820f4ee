"""What a broker may offer beyond Kombu: lanes that publish, claim and settle many messages at once.

A broker driver is a ``kombu.transport.base.Transport`` class.  One that also defines the class methods
``producer_lane(connection)`` and ``consumer_lane(connection)`` gets its batches natively; any other is served by
the kernel's adapter through the plain Kombu API.  Nothing above the lane knows the difference.
A class method ``queue_figures(connection, queues)`` may tell what waits in the queues of these names: a map from the
name of each that is there to its `QueueFigures`.  Without it, a passive declaration tells what is ready.
A class attribute ``publishes_once`` that is true says that the producer lane heeds `OutgoingMessage.once`.
A class method ``describe(connection)`` may tell people in a line where the messages are kept, where the URL does not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop

#: Seconds for which a broker that publishes once remembers what it was sent.
ONCE_SECONDS: Final = 3600.0

#: The version of this contract.  A transport may state ``api_version``; the kernel serves 1.
BROKER_API: Final = 1


class LaneCapabilities(Flag):
    """What a consumer lane does natively; what is absent is done above it or declared not to be had."""

    NONE = 0
    #: ``claim`` takes many messages in one round trip.
    CLAIM_MANY = auto()
    #: ``settle`` settles many messages in one round trip.
    SETTLE_MANY = auto()
    #: A message with an ETA stays with the broker until it is due.
    NATIVE_DELAY = auto()
    #: Claims are leases that ``renew`` extends.
    LEASES = auto()
    #: ``Delivery.delivery_count`` is true.
    DELIVERY_COUNT = auto()
    #: ``Settlements.begin`` leaves a trace, so that a begun task whose worker died is found (``lost``).  Where the
    #: broker has none the worker's host keeps it, so that the lane need not.
    BEGIN_TRACE = auto()
    #: ``requeue`` gives a message back without counting it as a delivery.
    GIVE_BACK = auto()
    #: ``depth`` is known.
    QUEUE_DEPTH = auto()
    #: Priorities are kept.
    PRIORITY = auto()
    #: ``add_queue`` and ``remove_queue`` change the queues while the lane is open.
    CHANGE_QUEUES = auto()
    #: What a process had claimed and not begun when it was killed comes back: because its lease runs out, or the broker
    #: takes back what a lost connection held.
    CLAIMS_RETURN = auto()


class QueueFigures(NamedTuple):
    """What a broker tells of one queue, at about one moment; None is what it cannot tell.

    `ready` messages may be taken now, `held` ones wait for their time, `claimed` ones were taken and are not settled.
    `oldest` is how many seconds ago the oldest ready one was sent, `due` how many seconds the first held one has yet to
    wait; `consumers` how many listen.
    """

    ready: int
    held: int | None = None
    claimed: int | None = None
    oldest: float | None = None
    consumers: int | None = None
    due: float | None = None


@dataclass(slots=True)
class OutgoingMessage:
    """One message on its way to the broker.

    `eta` is in seconds since the epoch (wall clock) where the message is to be held back; a lane without
    NATIVE_DELAY ignores it, and the worker waits instead.  `queue` is the Kombu ``Queue`` to declare first, if any, or
    the ``Exchange`` where the message goes to whoever listens.
    `priority` and `expiration` (string of milliseconds) are found in `properties`, as on the wire.
    `once`: the broker is to take one message with this ``correlation_id``, and to say nothing to others that come
    within `ONCE_SECONDS`, whoever sends them and whatever has become of the first; decided in one step with taking it.
    A transport without ``publishes_once`` ignores it.
    """

    body: bytes
    content_type: str
    content_encoding: str
    headers: dict[str, Any]
    properties: dict[str, Any]
    exchange: str
    routing_key: str
    queue: Any = None
    eta: float | None = None
    once: bool = False


class Delivery(NamedTuple):
    """One claimed message.

    `tag` is the lane's own name for the claim: hashable, unique among this lane's open claims.  `delivery_count`
    is 1 for the first delivery and 0 where the lane cannot tell.
    """

    tag: Any
    queue: str
    headers: dict[str, Any]
    properties: dict[str, Any]
    body: bytes
    content_type: str
    content_encoding: str
    exchange: str
    routing_key: str
    redelivered: bool
    delivery_count: int


@dataclass(slots=True)
class Settlements:
    """What is to be told to the broker in one go, as lists of tags.

    ``begin``: the task is about to run and must never be delivered again, whatever happens (early ack); the tag
    stays valid and is acked when the task has ended.  ``ack``: done, forget it.  ``requeue``: back to the queue
    at its old place, not counted as delivered where the lane can do that.  ``redeliver``: back to the queue,
    counted as a delivery (the worker died of it, or the task asked for it).  ``reject``: drop it, or dead-letter it
    where the queue is set up so.
    """

    ack: list[Any] = field(default_factory=list)
    begin: list[Any] = field(default_factory=list)
    requeue: list[Any] = field(default_factory=list)
    redeliver: list[Any] = field(default_factory=list)
    reject: list[Any] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.ack or self.begin or self.requeue or self.redeliver or self.reject)


class ProducerLane(ABC):
    """The way in.  Used by one thread at a time, closed and never used again after a fork."""

    #: After a `publish` that raised: how many of the messages, from the first, are on the broker all the same.
    published: int = 0

    @abstractmethod
    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Put all messages on the broker, in order; when this returns, the broker answers for them.

        All or nothing where the broker has transactions.  Blocks for as long as the broker takes.

        Raises `kombu.exceptions.OperationalError` when the broker cannot be reached or refuses.  One that has an
        attribute ``is_final`` which is true is not tried again: the lane has waited for the broker long enough.
        """

    def unpublished(self, messages: Sequence[OutgoingMessage]) -> Sequence[OutgoingMessage]:
        """After a `publish` of these that raised: those that are not on the broker, or may not be.

        Asked for before the lane is closed.  To be overridden where not only the first ones can be on the broker.
        """
        return messages[self.published :]

    @abstractmethod
    def close(self) -> None:
        """Release the connection; tolerates being called twice."""


def _none_runs(_: Collection[Any]) -> Collection[Any]:
    return ()


def _go_on(_error: BaseException, _tries: int) -> bool:
    return True


class ConsumerLane(ABC):
    """The way out.  All calls come from the thread of the worker's loop and must not block beyond a round trip."""

    #: May depend on the queues, and is right once the lane is open.
    capabilities: LaneCapabilities = LaneCapabilities.NONE

    #: Set by the worker before `open`, for brokers whose claims end with the connection that they were made on.  To be
    #: called with the tags of the claims that the broker has taken back, from the loop and never while the worker is in
    #: a call of this lane.  Gives those tags that will be settled all the same, because their tasks run; the lane is to
    #: know their messages when they come again.
    on_void: Callable[[Collection[Any]], Collection[Any]] = staticmethod(_none_runs)

    #: Set by the worker before `open`, for lanes that connect anew by themselves.  To be called from the loop with the
    #: error when the connection is lost, and with that of each later try in vain; the number is that of these tries.
    #: False where the lane is to leave it at that, because the worker ends.
    on_lost: Callable[[BaseException, int], bool] = staticmethod(_go_on)

    @abstractmethod
    def open(self, queues: Sequence[Any], loop: EventLoop, on_ready: Callable[[], None]) -> None:
        """Declare the Kombu `queues` and begin watching them.

        From now on `on_ready` is called from the loop whenever a claim may find something: a message has arrived,
        became due, or was given back.  Spurious calls are allowed, a missed one is not.  Messages that are there
        already count as arrived.

        Raises `kombu.exceptions.OperationalError` when the broker cannot be reached.
        """

    @abstractmethod
    def claim(self, limit: int) -> list[Delivery]:
        """Take up to `limit` messages, best priority first, then oldest; empty when there is none.

        Atomic: a message is at each moment either in the queue or claimed.
        """

    @abstractmethod
    def settle(self, batch: Settlements) -> None:
        """Tell the broker what became of claimed messages.  An unknown tag is ignored (its lease ran out)."""

    def turn(self, batch: Settlements, limit: int) -> list[Delivery]:
        """`settle`, then `claim`: override where both fit into one round trip."""
        if batch:
            self.settle(batch)
        return self.claim(limit)

    def prefetch(self, limit: int) -> None:
        """How many unsettled messages this lane may hold; for brokers that push."""

    def stop_receiving(self) -> None:
        """Nothing more will be claimed: a broker that pushes is told to stop, what came unasked goes back.

        Open claims stay as they are, and are settled as before.  Raises nothing.
        """

    def add_queue(self, queue: Any) -> None:
        """Declare one more Kombu queue and watch it as those that `open` was given.  Only with CHANGE_QUEUES.

        Called between `open` and `close`, also for a queue that was removed before.

        Raises `kombu.exceptions.OperationalError` when the broker cannot be reached.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot change its queues while it is open")

    def remove_queue(self, name: str) -> None:
        """Claim nothing more from the queue.  Only with CHANGE_QUEUES.

        Open claims stay as they are, and are settled as before; what came unasked goes back to the queue, which is
        not deleted.  Raises as `add_queue` does.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot change its queues while it is open")

    def lost(self) -> list[Delivery]:
        """Begun messages whose worker has died, each handed out once and now claimed by this lane.

        The caller reports them as lost and acks them.  Only with BEGIN_TRACE.  Called at start and every few seconds.
        """
        return []

    def ended(self, tags: Collection[Any]) -> None:  # a trace in the broker ends with `settle`
        """These claims have ended, and ``settle``, which did not reach the broker, is called for them later.

        For a lane whose trace of what has begun is elsewhere.  Harmless when repeated; raises nothing.
        """

    def renew(self) -> None:
        """Extend the leases of all open claims; called every `renew_interval` seconds."""

    def probe(self) -> None:
        """See that the broker answers, connecting anew where the connection was lost.

        Called after an error, when there is nothing else to say; what is kept in this process may leave it as it is.

        Raises `kombu.exceptions.OperationalError` when the broker cannot be reached.
        """
        self.renew()

    #: Seconds between two calls of `renew`; 0 means never.
    renew_interval: float = 0.0

    def keeper(self) -> Callable[[], None] | None:
        """A function that does what `renew` does, and may be called from one other thread; None where there is none.

        Asked for once, after `open`, where tasks run in the thread of the loop: while one runs, nobody else can renew.
        """
        return None

    def depth(self, queue: str) -> int | None:
        """Messages ready in the queue, or None where that is not known."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Stop watching, give back every claim that was not begun and not settled, release the connection.

        Tolerates never opened and twice.
        """


def lanes_of(
    transport_cls: type[Any],
) -> tuple[Callable[[Any], ProducerLane] | None, Callable[[Any], ConsumerLane] | None]:
    """The native lanes of a transport class, None where it has none."""
    return getattr(transport_cls, "producer_lane", None), getattr(transport_cls, "consumer_lane", None)
