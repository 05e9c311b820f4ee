"""From a call to messages on the broker: options merged by a plan per task, encoded, published in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from celeriac import signals
from celeriac.app.current import get_current_request
from celeriac.app.destinations import Destination, Destinations, delivery_mode
from celeriac.app.lanes import LanePool
from celeriac.app.sent_events import SentEvents
from celeriac.app.signatures import check_shape
from celeriac.contracts.broker import OutgoingMessage
from celeriac.contracts.middleware import bind
from celeriac.exceptions import SerializationError
from celeriac.protocol import wall
from celeriac.protocol.body import encode_body
from celeriac.protocol.header_plan import HeaderPlan
from celeriac.protocol.properties import build_properties
from celeriac.protocol.reprs import safe_repr
from celeriac.protocol.result_expiry import RESULT_EXPIRES, seconds_to_keep
from celeriac.protocol.stamps import listed, stamps_in
from celeriac.protocol.task import TaskMessage
from celeriac.protocol.timestamps import eta_after, expires_at, parse_moment, seconds_until
from celeriac.protocol.v1 import encode_v1

if TYPE_CHECKING:
    from celeriac.app.base import Celery

#: Options of a call that shape the message and are not properties of it.
_CONSUMED: Final = frozenset(
    [
        "queue",
        "exchange",
        "exchange_type",
        "routing_key",
        "priority",
        "expires",
        "countdown",
        "eta",
        "serializer",
        "compression",
        "delivery_mode",
        "headers",
        "link",
        "link_error",
        "shadow",
        "group_id",
        "group_index",
        "chord",
        "chain",
        "retries",
        "root_id",
        "parent_id",
        "reply_to",
        "time_limit",
        "soft_time_limit",
        "ignore_result",
        "result_expires",
        "argsrepr",
        "kwargsrepr",
        "stamps",
        "stamped_headers",
        "replaced_task_nesting",
        "origin",
        "task_id",
        "retry",
        "retry_policy",
        "declare",
        "add_to_parent",
        "connection",
        "producer",
        "publisher",
        "router",
        "result_cls",
        "route_name",
        "task_type",
        "immutable",
        "mandatory",
        "timeout",
        "confirm_timeout",
        "publish_once",
    ]
)


class Publisher:
    """Builds and sends the messages of one app."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.lanes = LanePool(app)
        self._destinations = Destinations(app)
        self._plans: dict[tuple[Any, ...], HeaderPlan] = {}
        self._chain: Callable[[Any], Any] | None = None
        self._layers = False
        conf = app.conf
        self._serializer: str = conf.task_serializer
        self._protocol: int = conf.task_protocol
        self._zone = UTC if conf.enable_utc else app.timezone
        self._levels: int = conf.task_repr_maxlevels
        self._default_priority: int | None = conf.task_default_priority
        self._inherit_priority: bool = conf.task_inherit_parent_priority
        self._compression: str | None = conf.task_compression
        self._encode = app.serializers.encode
        self._compress = app.compression.compress
        self._sent_events = SentEvents(app) if conf.task_send_sent_event else None

    # -- building -----------------------------------------------------------------------------------------------------

    def build(
        self,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        task_id: str,
        options: Mapping[str, Any],
        parent: Any = None,
        priority: int | None = None,
    ) -> OutgoingMessage:
        """The message of one call; `options` are those of ``apply_async``, already routed.

        `parent` is the request of the task that calls, `priority` that of a message for which nobody gives one.
        Raises, before anything is sent, TypeError for arguments that are no list and map, `SerializationError` for
        what cannot be encoded, `ProtocolError` for moments that are none.
        """
        return self._seal(name, *self._compose(name, args, kwargs, task_id, options, parent, priority), options)

    def compose(
        self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], task_id: str, options: Mapping[str, Any]
    ) -> TaskMessage:
        """The message of one call in protocol 2, before it is encoded; errors as those of `build`."""
        return self._compose(name, args, kwargs, task_id, options)[0]

    def seal(self, name: str, message: TaskMessage, options: Mapping[str, Any]) -> OutgoingMessage:
        """`message` encoded and addressed, as `options` say where it goes and how."""
        target = self._destinations.of(options)
        properties = {"delivery_mode": target.delivery_mode, **message.properties}
        properties.update({key: options[key] for key in ("priority", "reply_to") if options.get(key) is not None})
        if options.get("delivery_mode") is not None:
            properties["delivery_mode"] = delivery_mode(options["delivery_mode"])
        eta = parse_moment(message.headers.get("eta"), "eta", self.app.timezone)
        given = {**message.headers, **(options.get("headers") or {})}
        return self._seal(name, message._replace(headers=given, properties=properties), target, eta, options)

    def _compose(
        self,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        task_id: str,
        options: Mapping[str, Any],
        parent: Any = None,
        priority: int | None = None,
    ) -> tuple[TaskMessage, Destination, datetime | None]:
        check_shape(name, args, kwargs)
        get = options.get
        target = self._destinations.of(options)
        eta = self._eta(get("countdown"), get("eta"))
        stamps, stamped = stamps_in(options), get("stamped_headers") or ()
        expires, left = self._expiry(get("expires"))
        parent = parent or get_current_request()
        root_id, parent_id = get("root_id"), get("parent_id")
        if parent is not None and not parent.called_directly and parent.id != task_id:  # a retry is no child of itself
            root_id = root_id or parent.root_id or parent.id
            parent_id = parent_id or parent.id
        headers = self._plan(name, get("ignore_result"), get("time_limit"), get("soft_time_limit")).headers(
            task_id,
            argsrepr=get("argsrepr") or ("()" if not args else safe_repr(args, maxlevels=self._levels)),
            kwargsrepr=get("kwargsrepr") or ("{}" if not kwargs else safe_repr(kwargs, maxlevels=self._levels)),
            eta=eta,
            expires=expires,
            retries=get("retries") or 0,
            group=get("group_id"),
            group_index=get("group_index"),
            root_id=root_id,
            parent_id=parent_id,
            shadow=get("shadow"),
            stamped_headers=get("stamped_headers"),
            stamps=stamps,
            replaced_task_nesting=get("replaced_task_nesting") or 0,
            origin=get("origin"),
            extra=_with_expiry(get("headers"), get("result_expires")),
        )
        properties = build_properties(
            task_id,
            get("reply_to") or self.app.thread_oid,
            self._priority(get("priority"), parent, priority),
            left,
            target.delivery_mode if get("delivery_mode") is None else delivery_mode(get("delivery_mode")),
            **{key: value for key, value in options.items() if key not in _CONSUMED and key not in stamped},
        )
        body = encode_body(args, kwargs, listed(get("link")), listed(get("link_error")), get("chain"), get("chord"))
        return TaskMessage(headers, properties, body), target, eta

    def _seal(
        self,
        name: str,
        message: TaskMessage,
        target: Destination,
        eta: datetime | None,
        options: Mapping[str, Any],
    ) -> OutgoingMessage:
        headers, properties, body = message
        if self._protocol == 1 and not isinstance(body, dict):
            body, headers = encode_v1(headers, body), {}
        try:
            content_type, content_encoding, data = self._encode(body, options.get("serializer") or self._serializer)
        except SerializationError as error:
            raise SerializationError(f"task {name!r} was not sent: {error}") from error
        compression = options.get("compression") or self._compression
        if compression:
            headers["compression"], data = self._compress(data, compression)
        else:
            headers.pop("compression", None)  # of the message that is tried again, whose headers these were
        return OutgoingMessage(
            data,
            content_type,
            content_encoding,
            headers,
            properties,
            target.exchange,
            target.routing_key,
            target.queue,
            None if eta is None else eta.timestamp(),
            bool(options.get("publish_once")),
        )

    def _plan(self, name: str, ignore_result: Any, time_limit: Any, soft_time_limit: Any) -> HeaderPlan:
        key = (name, ignore_result, time_limit, soft_time_limit)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) > 10_000:  # names or limits made up per call must not fill the memory
                self._plans.clear()
            plan = self._plans[key] = HeaderPlan(
                name, ignore_result=ignore_result, time_limit=time_limit, soft_time_limit=soft_time_limit
            )
        return plan

    def _eta(self, countdown: Any, eta: Any) -> datetime | None:
        moment = eta_after(countdown) if countdown else parse_moment(eta, "eta", self.app.timezone)
        return None if moment is None else moment.astimezone(self._zone)

    def _expiry(self, expires: Any) -> tuple[datetime | None, float | None]:
        """The moment, and the seconds that are left until then."""
        if expires is None:
            return None, None
        if isinstance(expires, (str, datetime)):
            moment = parse_moment(expires, "expires", self.app.timezone) or wall.now()
        else:
            moment = expires_at(expires)
        return moment.astimezone(self._zone), seconds_until(moment)

    def _priority(self, given: int | None, parent: Any, default: int | None) -> int | None:
        if given is not None:
            return given
        if self._inherit_priority and parent is not None and parent.priority is not None:
            inherited: int = parent.priority
            return inherited
        return self._default_priority if default is None else default

    # -- sending ------------------------------------------------------------------------------------------------------

    def send(self, messages: Sequence[OutgoingMessage], options: Mapping[str, Any] | None = None) -> None:
        """Publish, in order and as one batch where nothing wants a say per message.

        Raises `kombu.exceptions.OperationalError` when the broker stays out of reach beyond the retry policy.
        """
        chain = self._chain
        if chain is None:
            layers = self.app.plugins.middlewares("publish")
            self._layers = bool(layers)
            chain = self._chain = bind(layers, self._take)
        if signals.before_task_publish or signals.after_task_publish:
            self._send_with_signals(messages, options, chain)
            return
        if self._layers:
            messages = [passed for message in messages if (passed := chain(message)) is not None]
        if messages:
            self._publish(messages, options)

    def rebind(self) -> None:
        """Ask the plugins again for their layers, before the next message."""
        self._chain = None

    @staticmethod
    def _take(message: OutgoingMessage) -> OutgoingMessage:
        return message

    def _send_with_signals(
        self,
        messages: Sequence[OutgoingMessage],
        options: Mapping[str, Any] | None,
        chain: Callable[[Any], Any],
    ) -> None:
        policy = self._retry_policy(options or {})
        for message in messages:
            # Receivers are shown the body as it was before it was encoded, and may change what they are shown.
            serializer = self.app.serializers.of_type(message.content_type)
            body = serializer.loads(message.body)
            name = message.headers.get("task") or body["task"]
            shared: dict[str, Any] = {
                "body": body,
                "exchange": message.exchange,
                "routing_key": message.routing_key,
                "headers": message.headers,
                "properties": message.properties,
                "retry_policy": policy,
            }
            if signals.before_task_publish:
                declare = [message.queue] if message.queue is not None else []
                signals.before_task_publish.send(sender=name, declare=declare, **shared)
                message.body = serializer.dumps(body)
            if (passed := chain(message)) is not None:  # a layer may sign what a receiver has changed
                self._publish([passed], options)
                signals.after_task_publish.send(sender=name, **shared)

    def _publish(self, messages: Sequence[OutgoingMessage], options: Mapping[str, Any] | None) -> None:
        left = list(messages)
        try:
            self._put(left, options or {})
        except self.app.connection_errors as error:
            self._publish_again(left, options or {}, error)
        if self._sent_events is not None:
            self._sent_events.tell(messages)

    def _put(self, left: list[OutgoingMessage], options: Mapping[str, Any]) -> None:
        """Publish; after an error only what is not on the broker is in `left`."""
        with self.lanes.lend(options.get("producer") or options.get("publisher"), options.get("connection")) as lane:
            try:
                lane.publish(left)
            except BaseException:
                left[:] = lane.unpublished(left)
                raise

    def _publish_again(self, left: list[OutgoingMessage], options: Mapping[str, Any], error: BaseException) -> None:
        """The retry policy of a publish: `max_retries` tries, `interval_start` seconds apart and growing."""
        from kombu.exceptions import OperationalError

        policy = self._retry_policy(options)
        if policy is not None and not getattr(error, "is_final", False):
            delay = policy.get("interval_start", 0)
            tries = policy.get("max_retries", 3)
            done = 0
            while tries is None or done < tries:
                if policy.get("errback") is not None:
                    policy["errback"](error, delay)
                time.sleep(delay)
                delay = min(delay + policy.get("interval_step", 0.2), policy.get("interval_max", 1))
                done += 1
                try:
                    self._put(left, options)
                    return
                except self.app.connection_errors as again:
                    error = again
                    if getattr(error, "is_final", False):
                        break
        if isinstance(error, OperationalError):
            raise error
        raise OperationalError(f"cannot reach the broker {self.app.broker_uri()}: {error}") from error

    def _retry_policy(self, options: Mapping[str, Any]) -> dict[str, Any] | None:
        conf = self.app.conf
        wanted = options.get("retry")
        if not (conf.task_publish_retry if wanted is None else wanted):
            return None
        return {**conf.task_publish_retry_policy, **(options.get("retry_policy") or {})}

    def close(self) -> None:
        """Release the connections."""
        self.lanes.close()


def _with_expiry(headers: Mapping[str, Any] | None, expires: Any) -> Mapping[str, Any] | None:
    return headers if expires is None else {**(headers or {}), RESULT_EXPIRES: seconds_to_keep(expires)}
