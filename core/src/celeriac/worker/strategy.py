"""What to do with a message, judged by its headers alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from celeriac import signals
from celeriac.app.serialization import refusal
from celeriac.contracts.middleware import bind
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job
from celeriac.exceptions import NotRegistered, ProtocolError, SecurityError, TaskRevokedError
from celeriac.protocol.headers import is_v2, read_headers
from celeriac.protocol.json import dumps
from celeriac.protocol.v1 import decode_v1
from celeriac.worker.open_jobs import OpenJob

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.broker import Delivery

#: Why a message will not run.
Refusal = tuple[OutcomeKind, Exception | None]


class Strategy:
    """Made when the worker starts; one call per message."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._tasks = app.tasks
        self._accepted = app.serializers.accepted
        layers = app.plugins.middlewares("consume")
        self._layers: Callable[[Delivery], Any] | None = bind(layers, _pass) if layers else None

    def judge(self, delivery: Delivery, number: int) -> OpenJob | Refusal:
        """A job, or the reason why there is none."""
        try:
            if not is_v2(delivery.headers):
                delivery = self._upgraded(delivery)
            headers = read_headers(delivery.headers)
            if delivery.content_type not in self._accepted:
                raise SecurityError(refusal(delivery.content_type))
        except (ProtocolError, SecurityError) as error:
            if signals.task_rejected:
                signals.task_rejected.send(sender=self, message=delivery, exc=error)
            return OutcomeKind.INVALID, error
        task = self._tasks.get(headers.task)
        if task is None:
            unknown = NotRegistered(self._tasks.explain_missing(headers.task))
            if signals.task_unknown:
                signals.task_unknown.send(sender=self, message=delivery, exc=unknown, name=headers.task, id=headers.id)
            return OutcomeKind.UNKNOWN_TASK, unknown
        if self._layers is not None:
            answer = self._layers(delivery)
            if answer is not None:
                return answer, TaskRevokedError(str(answer)) if answer is OutcomeKind.REVOKED else None
        if headers.expires is not None and headers.expires.timestamp() <= time.time():
            return OutcomeKind.EXPIRED, TaskRevokedError("expired")
        delay = None
        if headers.eta is not None:
            delay = headers.eta.timestamp() - time.time()
            if delay <= 0:
                delay = None
        properties = delivery.properties
        job = Job(
            number,
            delivery.headers,
            delivery.body,
            delivery.content_type,
            delivery.content_encoding,
            {
                "exchange": delivery.exchange,
                "routing_key": delivery.routing_key,
                "priority": properties.get("priority"),
                "redelivered": delivery.redelivered,
            },
            {"reply_to": properties.get("reply_to"), "correlation_id": properties.get("correlation_id")},
        )
        return OpenJob(number, delivery.tag, delivery.queue, task, job, not task.acks_late, delay)

    def _upgraded(self, delivery: Delivery) -> Delivery:
        """A message of protocol 1 in the form of protocol 2: its one map has to be decoded here."""
        headers, body = decode_v1(self.app.serializers.decode(delivery.body, delivery.content_type))
        data = dumps([body.args, body.kwargs, dict(zip(body._fields[2:], body[2:], strict=True))])
        return delivery._replace(
            headers={**delivery.headers, **headers},
            body=data,
            content_type="application/json",
            content_encoding="utf-8",
        )


def _pass(_: Delivery) -> None:
    return None
