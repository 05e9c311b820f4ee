"""Messages that wait in the server for their time: 28 queues, each holding one up for twice as long as the next.

The names, arguments and bindings are those of Celery, so that each may use what the other has declared.  A message is
sent with the seconds that it has to wait as 28 binary digits before its routing key; a queue of which the digit is set
holds it, and at the end it is routed by what is left of the key.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from celeriac_amqp.options import is_quorum

BITS: Final = 28
#: Seconds beyond which a message cannot wait: eight and a half years.
LONGEST: Final = 2**BITS - 1
#: Seconds before its time at which a message is to be with a worker, at least: the server hands a burst of them on from
#: queue to queue at about a thousand a second.
_AHEAD: Final = 2.0
#: No queue that holds a message up for less is passed through by one that waits for so many seconds: each costs a burst
#: what the server needs to hand it on, and the worker can wait for what is left.
_FINEST: Final = 8
#: Before each routing key in the delivery exchange.
_DIGITS: Final = "*." * BITS
_DELIVERY: Final = "celery_delayed_delivery"
_SPREADING: Final = frozenset({"topic", "fanout"})


class Delays:
    """The exchanges and queues in which messages wait; `prefix` sets those of tests apart."""

    def __init__(self, prefix: str = "", queue_type: str = "quorum") -> None:
        self._before = f"{prefix}_" if prefix else ""
        self._queue_type = queue_type

    def level(self, number: int) -> str:
        """The exchange, and the queue, of the digit that stands for 2 to the power of `number` seconds."""
        return f"{self._before}celery_delayed_{number}"

    @property
    def delivery(self) -> str:
        """The exchange that messages come to when their time has come."""
        return f"{self._before}{_DELIVERY}"

    def declare(self, channel: Any) -> None:
        """Declare all of it: one write, and one answer.  Raises what a channel raises that the server closes."""
        for number in range(BITS):
            channel.exchange_declare(self.level(number), "topic", durable=True, auto_delete=False, nowait=True)
        channel.exchange_declare(self.delivery, "topic", durable=True, auto_delete=False, nowait=True)
        for number in reversed(range(BITS)):
            name, above = self.level(number), "*." * (BITS - 1 - number)
            following = self.level(number - 1) if number else self.delivery
            channel.queue_declare(
                name, durable=True, auto_delete=False, nowait=True, arguments=self._arguments(number, following)
            )
            channel.queue_bind(name, name, f"{above}1.#", nowait=True)
            channel.exchange_bind(following, name, f"{above}0.#", nowait=True)
        channel.exchange_declare(self.delivery, "topic", passive=True)

    def _arguments(self, number: int, following: str) -> dict[str, Any]:
        arguments = {
            "x-queue-type": self._queue_type,
            "x-overflow": "reject-publish",
            "x-message-ttl": 2**number * 1000,
            "x-dead-letter-exchange": following,
        }
        if self._queue_type == "quorum":
            arguments["x-dead-letter-strategy"] = "at-least-once"
        return arguments

    def bind(self, channel: Any, queue: Any) -> None:
        """Let delayed messages come to a Kombu queue that is declared.

        Under its name; and where its exchange spreads messages to several queues, as it is bound there.
        """
        keys = {queue.name}
        for exchange, key in _bindings(queue):
            if exchange.type in _SPREADING:
                keys.add("#" if exchange.type == "fanout" else key or "")
        for key in sorted(keys):
            channel.queue_bind(queue.name, self.delivery, _DIGITS + key)

    def way(self, seconds: float, queue: Any, exchange: str, routing_key: str) -> tuple[str, str]:
        """The exchange and the key by which a message for `queue` waits for up to so many seconds, one at least.

        That is until two to ten seconds before.  The worker waits for what is left, to the millisecond; so does
        Celery's.  The exchange is that of the first queue that is to hold the message: to hand it down to there through
        all exchanges above costs the server many times what it costs to hold it.
        A direct exchange is passed over: the queue has the message by its name.
        """
        whole = _waiting(seconds)
        spreads = exchange and getattr(queue.exchange, "type", "direct") in _SPREADING
        key = own_key(routing_key) if spreads else queue.name
        return self.level(whole.bit_length() - 1), f"{'.'.join(format(whole, f'0{BITS}b'))}.{key}"


def _waiting(seconds: float) -> int:
    """For how many seconds a message waits in the server that is to wait for so many."""
    whole = min(max(int(seconds - _AHEAD), 1), LONGEST)
    if whole >= _FINEST:
        return whole - whole % _FINEST
    return 1 << (whole.bit_length() - 1)


def own_key(routing_key: str) -> str:
    """A routing key without the digits of an earlier delay."""
    digits = routing_key[: 2 * BITS]
    if len(digits) == 2 * BITS and set(digits[::2]) <= {"0", "1"} and set(digits[1::2]) == {"."}:
        return routing_key[2 * BITS :]
    return routing_key


def can_wait(queue: Any) -> bool:
    """Whether messages for a Kombu queue may wait in the server: as Celery does, where it is a quorum queue."""
    return is_quorum(queue)


def _bindings(queue: Any) -> Iterable[tuple[Any, str]]:
    if queue.exchange is not None and queue.exchange.name:
        yield queue.exchange, queue.routing_key
    for binding in queue.bindings or ():
        yield binding.exchange, binding.routing_key
