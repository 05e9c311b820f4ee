"""Which messages are kept as dead letters when they will not be run, and how they get there."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from celeriac.app.lanes import properties_to_send_again
from celeriac.contracts.broker import Delivery, OutgoingMessage
from celeriac.protocol.dead_letter import dead_letter_queue, headers_of_letter, properties_of_letter
from celeriac.worker.settlement import Verdict

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.outcome import OutcomeKind
    from celeriac.contracts.pool import Job

logger = logging.getLogger("celeriac.worker.dead_letters")

_BROKERS_OWN: Final = "x-dead-letter-exchange"
#: Verdicts on messages that are dropped, and how the broker is told where nobody keeps them.
_DROPPED: Final = {Verdict.REJECT: Verdict.REJECT, Verdict.BURY: Verdict.ACK}


class DeadLetters:
    """One per consumer."""

    def __init__(self, app: Celery, hostname: str, queues: Iterable[Any]) -> None:
        self.app = app
        self._hostname = hostname
        self._reasons = frozenset(app.conf.task_dead_letters or ())
        self._kept_by_broker = {queue.name for queue in queues if _BROKERS_OWN in (queue.queue_arguments or {})}

    def final(self, decided: Verdict, kind: OutcomeKind, queue: str) -> Verdict:
        """What becomes of a message of `queue` that ended as `kind`: one that is dropped may be kept instead.

        A queue with dead letters of its own, by ``x-dead-letter-exchange``, gets them from its broker.
        """
        if decided not in _DROPPED:
            return decided
        if queue in self._kept_by_broker:
            return Verdict.REJECT
        if kind.value in self._reasons:
            return Verdict.BURY
        return _DROPPED[decided]

    def letter(self, message: Job | Delivery, queue: str, kind: OutcomeKind, error: str | None) -> OutgoingMessage:
        """The dead letter of a message."""
        from kombu import Queue  # most workers never need one

        if isinstance(message, Delivery):
            exchange, routing_key, properties = message.exchange, message.routing_key, message.properties
        else:
            info = message.delivery_info
            exchange, routing_key = info.get("exchange") or "", info.get("routing_key") or queue
            properties = {**message.properties, "priority": info.get("priority"), "delivery_mode": 2}
        name = dead_letter_queue(queue)
        headers: Any = message.headers
        if not isinstance(headers, Mapping):
            headers = {}
        logger.warning(
            "Message %s is kept as a dead letter in queue %s (%s); see: celeriac dlq show %s",
            f"of task {headers['id']}" if headers.get("id") else "of no task",
            name,
            kind,
            queue,
        )
        return OutgoingMessage(
            message.body,
            message.content_type,
            message.content_encoding,
            headers_of_letter(headers, kind.value, error, queue, exchange, routing_key, self._hostname),
            properties_of_letter(properties_to_send_again(properties)),
            "",
            name,
            Queue(name, routing_key=name),
        )
