"""The result store `rpc`: each result is a message to whoever asked for the task."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final

from kombu.exceptions import OperationalError

from celeriac.contracts import Backend, OutgoingMessage, ResultWatcher, StoredResult
from celeriac.exceptions import ImproperlyConfigured, StoreUnavailable
from celeriac_amqp.link import Link
from celeriac_amqp.options import lane_options
from celeriac_amqp.publishing import Parcel, Publishing
from celeriac_amqp.replies import Replies
from celeriac_amqp.transports import CheckedTransport
from celeriac_amqp.watcher import RpcWatcher

#: Seconds that a queue of results is kept at least while nobody reads it.
_LEAST_UNUSED: Final = 60.0
#: Those of a parent process: neither used nor closed, which would take leave for the parent.
_inherited: Final[list[Any]] = []


class RpcBackend(Backend):
    """Results are read by the process that sent the tasks, once, and by no other.

    ``rpc://`` uses the broker of the app; ``rpc://user:password@host//`` another RabbitMQ.
    """

    persistent: ClassVar[bool] = False
    replies_to_sender: ClassVar[bool] = True
    #: Of the server that a URL may name.
    default_port: ClassVar[int] = 5672

    def __init__(self, app: Any, url: str) -> None:
        super().__init__(app, url)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._made = threading.Lock()
        self._publishing: Publishing | None = None
        self._replies: Replies | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def _connection(self) -> Any:
        rest = self.url.partition("://")[2]
        connection = self.app.connection_for_write(f"amqp://{rest}" if rest else None)
        if not issubclass(connection.transport_cls, CheckedTransport):
            raise ImproperlyConfigured(
                "the result store rpc:// needs RabbitMQ as the broker (amqp://), or names one: rpc://user:password@host//"
            )
        return connection

    @property
    def replies(self) -> Replies:
        """What has come to this process."""
        found = self._replies
        if found is None:
            with self._made:
                found = self._replies
                if found is None:
                    found = self._replies = Replies(Link(self._connection()), self._arguments(), self._decode)
                    self._finalizer = weakref.finalize(self, found.close)
        return found

    def _arguments(self) -> dict[str, Any]:
        seconds = self._kept_seconds(None)
        return {"x-expires": round(max(seconds, _LEAST_UNUSED) * 1000)} if seconds else {}

    def _kept_seconds(self, own: float | None) -> float:
        """How long a result is kept, 0 for ever."""
        expires = self.app.conf.result_expires if own is None else own
        seconds = expires.total_seconds() if isinstance(expires, timedelta) else expires
        return float(seconds or 0)

    def _decode(self, data: bytes, content_type: str) -> Any:
        return self.app.serializers.decode_result(data, content_type)

    def take_replies(self, reply_to: str) -> None:
        """Have a queue of that name."""
        self.replies.listen(reply_to)

    # -- storing ------------------------------------------------------------------------------------------------------

    def store(self, results: Sequence[StoredResult]) -> None:
        parcels = [self._parcel(result) for result in results if result.reply_to]
        if not parcels:
            return
        own = self._replies
        if own is not None:
            for name in own.names.intersection(parcel.routing_key for parcel in parcels):
                own.listen(name)
        try:
            with self._lock:
                if self._publishing is None:
                    connection = self._connection()
                    self._publishing = Publishing(Link(connection), lane_options(connection).confirm_timeout)
                self._publishing.channel()
                self._publishing.publish(parcels)
        except OperationalError as error:
            raise StoreUnavailable(str(error)) from error

    def _parcel(self, result: StoredResult) -> Parcel:
        conf = self.app.conf
        content_type, content_encoding, body = self.app.serializers.encode(result.meta, name=conf.result_serializer)
        properties: dict[str, Any] = {
            "correlation_id": result.task_id,
            "delivery_mode": 2 if conf.result_persistent else 1,
        }
        if kept := self._kept_seconds(result.expires):
            properties["expiration"] = str(max(1, round(kept * 1000)))
        message = OutgoingMessage(
            bytes(body), content_type, content_encoding, {}, properties, "", result.reply_to or ""
        )
        # Whoever asked may be gone, and then nobody wants it.
        return Parcel(message, mandatory=False)

    # -- reading ------------------------------------------------------------------------------------------------------

    def fetch(self, task_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        replies, ids = self.replies, list(task_ids)
        replies.read_all()
        with replies.lock:
            kept = replies.kept(ids)
        found: dict[str, dict[str, Any]] = {}
        for task_id, each in kept.items():
            if isinstance(each, Exception):
                raise each
            found[task_id] = each
        return found

    def delete(self, task_ids: Sequence[str]) -> None:
        self.replies.read_all()
        self.replies.forget(task_ids)

    def watch(self) -> ResultWatcher:
        return RpcWatcher(self.replies)

    # -- life ---------------------------------------------------------------------------------------------------------

    def after_fork(self) -> None:
        if self._finalizer is not None:
            self._finalizer.detach()
        _inherited.append((self._publishing, self._replies))
        self._begin()

    def close(self) -> None:
        with self._lock:
            publishing, self._publishing = self._publishing, None
        if publishing is not None:
            publishing.close()
        if self._replies is not None:
            self._replies.close()
