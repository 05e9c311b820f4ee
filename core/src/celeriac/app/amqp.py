"""Queues, routes and messages of one app: ``app.amqp``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from celeriac.app.queues import Queues
from celeriac.app.routing import Router

if TYPE_CHECKING:
    from celeriac.app.sending import SendingApp
    from celeriac.protocol.task import TaskMessage


class AMQP:
    """Made with the app; loads Kombu when a queue is asked for."""

    #: The class of `queues`, made with the app.
    queues_cls: type[Queues] = Queues

    def __init__(self, app: SendingApp) -> None:
        self.app = app

    # -- queues and routes --------------------------------------------------------------------------------------------

    @cached_property
    def queues(self) -> Queues:
        """All queues by name."""
        return self.queues_cls(self.app)

    def Queues(self, queues: Any) -> Queues:
        """Other queues than those of the configuration: a list of queues and names, or a map of names to options."""
        return self.queues_cls(self.app, queues)

    @cached_property
    def router(self) -> Router:
        """What ``task_routes`` says; another one may be put in its place, and then its `route` is asked."""
        return Router(self.app.conf.task_routes, app=self.app)

    def routed(
        self, options: Mapping[str, Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any], task: Any = None
    ) -> Mapping[str, Any]:
        """The options of a call with those of its route."""
        router = self.router
        if type(router) is not Router:
            return router.route(options, name, args, kwargs, task)
        return router.choose(options, name, args, kwargs, task) if router.routes else options

    @property
    def routes(self) -> Any:
        """The routers, in order."""
        return self.router.routes

    @property
    def default_queue(self) -> Any:
        """The queue of tasks that nothing routes elsewhere."""
        return self.queues[self.app.conf.task_default_queue]

    @cached_property
    def default_exchange(self) -> Any:
        """The exchange of the default queue."""
        return self.default_queue.exchange

    def flush_routes(self) -> None:
        """Read queues and routes anew at the next use."""
        for name in ("queues", "router", "default_exchange"):
            self.__dict__.pop(name, None)

    # -- Kombu, for who consumes or publishes by himself --------------------------------------------------------------

    @property
    def producer_pool(self) -> Any:
        """The app's pool of Kombu producers."""
        return self.app.producer_pool

    def TaskConsumer(
        self, channel: Any, queues: Iterable[Any] | None = None, accept: Iterable[str] | None = None, **kw: Any
    ) -> Any:
        """A Kombu ``Consumer`` of task messages: of the queues that a worker listens to, of the accepted types."""
        from kombu import Consumer

        chosen = list(self.queues.consume_from.values() if queues is None else queues)
        return Consumer(channel, queues=chosen, accept=self.app.conf.accept_content if accept is None else accept, **kw)

    # -- messages -----------------------------------------------------------------------------------------------------

    @property
    def create_task_message(self) -> Callable[..., TaskMessage]:
        """`as_task_v2` or `as_task_v1`, as the setting ``task_protocol`` says."""
        return self.as_task_v1 if self.app.conf.task_protocol == 1 else self.as_task_v2

    def as_task_v2(
        self,
        task_id: str,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> TaskMessage:
        """The message of protocol 2 that would call the task; `options` are those of ``apply_async``.

        Errors as those of `celeriac.app.publishing.Publisher.build`.
        """
        return self.app.publisher.compose(name, args or (), kwargs or {}, task_id, _renamed(options))

    def as_task_v1(
        self,
        task_id: str,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> TaskMessage:
        """The same in protocol 1, for consumers of the time before Celery 4: all in the body, no headers."""
        from celeriac.protocol.task import TaskMessage
        from celeriac.protocol.v1 import encode_v1

        headers, properties, body = self.as_task_v2(task_id, name, args, kwargs, **options)
        assert not isinstance(body, dict)  # it is in protocol 1 only
        return TaskMessage({}, properties, encode_v1(headers, body))

    def send_task_message(self, producer: Any, name: str, message: TaskMessage, **options: Any) -> None:
        """Send what `create_task_message` has made, through a Kombu producer or (None) the app's own lanes.

        `options` are those that say where it goes and how: queue, exchange, routing_key, serializer, compression,
        retry, retry_policy, delivery_mode, headers.  Errors as those of ``apply_async``.
        """
        publisher = self.app.publisher
        publisher.send([publisher.seal(name, message, options)], {**options, "producer": producer})


#: What makers of messages call what options of a call call otherwise.
_NAMES: Final = {"callbacks": "link", "errbacks": "link_error"}


def _renamed(options: Mapping[str, Any]) -> dict[str, Any]:
    return {_NAMES.get(name, name): value for name, value in options.items() if value is not None}
