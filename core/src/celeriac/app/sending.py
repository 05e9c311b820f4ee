"""The part of an app that sends tasks and asks for their results."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celeriac.app import current
from celeriac.app.identifiers import uuid
from celeriac.app.pooling import PooledApp
from celeriac.exceptions import AlwaysEagerIgnored

if TYPE_CHECKING:
    from datetime import datetime

    from celeriac.app.compression import Compression
    from celeriac.app.publishing import Publisher
    from celeriac.app.serialization import Serializers
    from celeriac.app.task import Task as TaskType
    from celeriac.contracts.backend import Backend
    from celeriac.results.async_result import AsyncResult
    from celeriac.results.eager import EagerResult
    from celeriac.results.service import Results


class SendingApp(PooledApp):
    """What a `Celery` does to have tasks run elsewhere."""

    #: The result store of this class of apps, where nobody names one: a URL or a class.
    backend_cls: Any = None
    _publisher: Publisher | None
    _lock: threading.RLock

    @cached_property
    def serializers(self) -> Serializers:
        """What this app writes and agrees to read."""
        from celeriac.app.serialization import Serializers

        return Serializers(self._whole)

    @cached_property
    def compression(self) -> Compression:
        """How this app compresses, and expands what others have compressed."""
        from celeriac.app.compression import Compression

        return Compression(self._whole)

    @property
    def publisher(self) -> Publisher:
        """Builds and sends messages."""
        found = self._publisher
        if found is None:
            from celeriac.app.publishing import Publisher

            self._whole.finalize(auto=True)
            with self._lock:
                if self._publisher is None:
                    self._publisher = Publisher(self._whole)
                found = self._publisher
        return found

    @cached_property
    def results(self) -> Results:
        """Stores results, finds them, waits for them."""
        from celeriac.results.service import Results

        return Results(self._whole)

    @property
    def backend(self) -> Backend:
        """The result store."""
        return self.results.backend

    def send_for(
        self,
        task: TaskType[Any, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        task_id: str | None,
        options: dict[str, Any],
    ) -> AsyncResult[Any]:
        """Send a task that is known here: its own options under those of the call."""
        merged = self.options_for(task, args, kwargs, options)
        made_by = task.AsyncResult if task._makes_results else None
        return self._send(task.name or "", args, kwargs, task_id or uuid(), merged, result_cls=made_by)

    def options_for(
        self, task: TaskType[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The options of one call of a task that is known here: the call's, the task's own, those of its route."""
        merged = {**task.exec_options(), **options}
        if merged.get("shadow") is None and (shadow := task.shadow_name(args, kwargs, merged)):
            merged["shadow"] = shadow
        return dict(self.amqp.routed(merged, task.name or "", args, kwargs, task))

    def send_task(
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        countdown: float | None = None,
        eta: datetime | None = None,
        task_id: str | None = None,
        producer: Any = None,
        connection: Any = None,
        router: Any = None,
        result_cls: Any = None,
        expires: Any = None,
        publisher: Any = None,
        link: Any = None,
        link_error: Any = None,
        add_to_parent: bool = True,
        group_id: str | None = None,
        group_index: int | None = None,
        retries: int = 0,
        chord: Any = None,
        reply_to: str | None = None,
        time_limit: float | None = None,
        soft_time_limit: float | None = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        route_name: str | None = None,
        shadow: str | None = None,
        chain: Any = None,
        task_type: Any = None,
        replaced_task_nesting: int = 0,
        **options: Any,
    ) -> AsyncResult[Any]:
        """Send a task by name, known here or not.  Errors as `Task.apply_async`."""
        named = {
            "producer": producer or publisher,
            "connection": connection,
            "countdown": countdown,
            "eta": eta,
            "expires": expires,
            "link": link,
            "link_error": link_error,
            "group_id": group_id,
            "group_index": group_index,
            "retries": retries or None,
            "chord": chord,
            "reply_to": reply_to,
            "time_limit": time_limit,
            "soft_time_limit": soft_time_limit,
            "root_id": root_id,
            "parent_id": parent_id,
            "shadow": shadow,
            "chain": chain,
            "replaced_task_nesting": replaced_task_nesting or None,
        }
        options.update((key, value) for key, value in named.items() if value is not None)
        args, kwargs = args or (), kwargs or {}
        routed = self.amqp.routed if router is None else router.route
        options = dict(routed(options, route_name or name, args, kwargs, task_type))
        known = self._whole._tasks.get(name)
        if result_cls is None and known is not None and getattr(known, "_makes_results", False):
            result_cls = known.AsyncResult
        if self.conf.task_always_eager:
            warnings.warn(AlwaysEagerIgnored(), stacklevel=2)
        return self._send(name, args, kwargs, task_id or uuid(), options, add_to_parent, 0, result_cls)

    def _send(
        self,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        task_id: str,
        options: dict[str, Any],
        add_to_parent: bool = True,
        priority: int | None = None,
        result_cls: Any = None,
    ) -> AsyncResult[Any]:
        parent = current.get_current_request()
        publisher = self.publisher
        publisher.send([publisher.build(name, args, kwargs, task_id, options, parent, priority)], options)
        result: AsyncResult[Any] = (
            self._whole.AsyncResult(task_id, task_name=name) if result_cls is None else result_cls(task_id)
        )
        if options.get("ignore_result"):
            result.ignored = True
        if parent is not None and add_to_parent and options.get("add_to_parent", True) and parent.id != task_id:
            task = current.get_current_task()
            if task is not None and task.trail:
                parent.children.append(result)
        return result

    def run_eagerly(
        self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
    ) -> EagerResult[Any]:
        """What ``task.apply`` does."""
        from celeriac.results.eager import run

        return run(self._whole, task, args, kwargs, options)

    def setup_security(
        self,
        allowed_serializers: Iterable[str] | None = None,
        key: str | None = None,
        key_password: bytes | None = None,
        cert: str | None = None,
        store: str | None = None,
        digest: str = "sha256",
        serializer: str = "json",
    ) -> None:
        """Sign the messages of this app with `key`, and accept only those whose signer is in the certificate `store`.

        `key`, `cert` and `store` are paths, each by default that of its setting ``security_*``; `serializer` is that of
        what is signed; `allowed_serializers` are accepted unsigned.  Raises `ImproperlyConfigured` where no plugin
        signs, or what it needs is missing.
        """
        from celeriac.app.signing import set_up

        options = {"key": key, "key_password": key_password, "cert": cert, "store": store, "digest": digest}
        set_up(self._whole, allowed_serializers, serializer, options)

    def signature(self, *args: Any, **kwargs: Any) -> Any:
        """A call of one of this app's tasks that has not been made."""
        from celeriac.canvas.signature import signature

        kwargs["app"] = self._whole
        return signature(*args, **kwargs)
