"""What to do with a message, judged by its headers alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from celeriac import signals
from celeriac.app.serialization import refusal
from celeriac.contracts.middleware import bind
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job
from celeriac.exceptions import (
    CeleryError,
    DeliveryLimitExceeded,
    NotRegistered,
    ProtocolError,
    SecurityError,
    TaskRevokedError,
)
from celeriac.protocol import wall
from celeriac.protocol.headers import TaskHeaders, is_v2, read_headers
from celeriac.protocol.v1 import decode_v1
from celeriac.worker.open_jobs import OpenJob
from celeriac.worker.revocations import Revocations

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.broker import Delivery

logger = logging.getLogger("celeriac.worker.strategy")


class Refusal(NamedTuple):
    """Why a message will not run.  `message` has the headers of protocol 2, as far as it could be read."""

    kind: OutcomeKind
    error: Exception | None
    message: Delivery


class Strategy:
    """Made when the worker starts; one call per message."""

    def __init__(self, app: Celery, revocations: Revocations | None = None) -> None:
        self.app = app
        self._revocations = Revocations() if revocations is None else revocations
        self._tasks = app.tasks
        self._accepted = app.serializers.accepted
        layers = app.plugins.middlewares("consume")
        self._layers: Callable[[Delivery], Any] | None = bind(layers, _pass) if layers else None

    def judge(self, delivery: Delivery, number: int) -> OpenJob | Refusal:
        """A job, or the reason why there is none.  Raises nothing, whatever the message holds."""
        try:
            delivery, headers = self._read(delivery)
            answer = None if self._layers is None else self._ask(delivery)
        except CeleryError as error:
            if signals.task_rejected:
                signals.task_rejected.send(sender=self, message=delivery, exc=error)
            return Refusal(OutcomeKind.INVALID, error, delivery)
        if answer is not None:
            revoked = TaskRevokedError(str(answer)) if answer is OutcomeKind.REVOKED else None
            return Refusal(answer, revoked, delivery)
        task = self._tasks.get(headers.task)
        if task is None:
            unknown = NotRegistered(self._tasks.explain_missing(headers.task))
            if signals.task_unknown:
                signals.task_unknown.send(sender=self, message=delivery, exc=unknown, name=headers.task, id=headers.id)
            return Refusal(OutcomeKind.UNKNOWN_TASK, unknown, delivery)
        if self._revocations.is_any and self._revocations.cover(delivery.headers):
            return Refusal(OutcomeKind.REVOKED, TaskRevokedError("revoked"), delivery)
        limit = task.max_deliveries
        if limit is not None and delivery.delivery_count > limit:
            told = f"delivered {delivery.delivery_count - 1} times without running to an end (max_deliveries)"
            return Refusal(OutcomeKind.DELIVERY_LIMIT, DeliveryLimitExceeded(told), delivery)
        now = wall.time()
        expires = None
        if headers.expires is not None:
            expires = headers.expires.timestamp()
            if expires <= now:
                return Refusal(OutcomeKind.EXPIRED, TaskRevokedError("expired"), delivery)
        delay = None
        if headers.eta is not None:
            delay = headers.eta.timestamp() - now
            if delay <= 0:
                delay = None
        early = not task.acks_late
        return OpenJob(
            number, delivery.tag, delivery.queue, task, _job(_limited(delivery, task), number), early, delay, expires
        )

    def begun(self, delivery: Delivery, number: int) -> OpenJob | Refusal:
        """A job that a dead worker had begun: neither its expiry nor any layer says what became of it."""
        try:
            delivery, headers = self._read(delivery)
        except CeleryError as error:
            return Refusal(OutcomeKind.INVALID, error, delivery)
        task = self._tasks.get(headers.task)
        return OpenJob(number, delivery.tag, delivery.queue, task, _job(delivery, number), early=True)

    def _read(self, delivery: Delivery) -> tuple[Delivery, TaskHeaders]:
        """The message in the form of protocol 2, and its checked headers.  Raises `CeleryError` for any other."""
        try:
            if not is_v2(delivery.headers):
                delivery = self._upgraded(delivery)
            headers = read_headers(delivery.headers)
            if delivery.content_type not in self._accepted:
                raise refusal(delivery.content_type)
        except CeleryError:
            raise
        except Exception as error:  # a serializer of a plugin, or something hostile that nobody has thought of
            raise ProtocolError(f"the message cannot be read: {type(error).__name__}: {error}") from error
        return delivery, headers

    def _upgraded(self, delivery: Delivery) -> Delivery:
        """A message of protocol 1 in the form of protocol 2: its one map has to be decoded here."""
        serializer = self._accepted.get(delivery.content_type)
        if serializer is None:
            raise refusal(delivery.content_type)
        own = dict(delivery.headers or {})
        compression = own.pop("compression", None)
        plain = self.app.compression.expand(delivery.body, compression) if compression else delivery.body
        headers, body = decode_v1(serializer.loads(plain), self.app.timezone)
        data = serializer.dumps([body.args, body.kwargs, dict(zip(body._fields[2:], body[2:], strict=True))])
        return delivery._replace(headers={**own, **headers}, body=data)

    def _ask(self, delivery: Delivery) -> OutcomeKind | None:
        """What the layers of plugins say; one that fails does not keep a message from running.

        Raises `SecurityError` where one of them does, which refuses the message.
        """
        assert self._layers is not None
        try:
            answer = self._layers(delivery)
            return None if answer is None else OutcomeKind(answer)
        except SecurityError:
            raise
        except Exception:
            logger.exception("Consume middleware failed on task %s, which runs", delivery.headers.get("id"))
            return None


def default(
    task: Any,  # noqa: ARG001  # the arguments of a strategy are given by the API
    app: Celery,
    consumer: Any,  # noqa: ARG001  # as above
    **_: Any,
) -> Callable[[Delivery, int], OpenJob | Refusal]:
    """What judges the messages of `task`: those of all tasks are judged alike, by their headers."""
    return Strategy(app).judge


def _limited(delivery: Delivery, task: Any) -> Delivery:
    """The message with the time limits of its task, where it states none: it may have been sent by name."""
    if task.time_limit is None and task.soft_time_limit is None:
        return delivery
    if any(limit is not None for limit in delivery.headers.get("timelimit") or ()):
        return delivery
    return delivery._replace(headers={**delivery.headers, "timelimit": [task.time_limit, task.soft_time_limit]})


def _job(delivery: Delivery, number: int) -> Job:
    properties = delivery.properties
    return Job(
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


def _pass(_: Delivery) -> None:
    return None
