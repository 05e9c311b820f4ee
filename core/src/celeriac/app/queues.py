"""The queues of an app: those of ``task_queues``, the default one, and those made when first named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import indent as indented
from typing import TYPE_CHECKING, Any

from celeriac.exceptions import ImproperlyConfigured, QueueNotFound

if TYPE_CHECKING:
    from celeriac.app.configuring import ConfiguredApp


class Queues(dict[str, Any]):
    """Queue name to Kombu ``Queue``; a broadcast is also found by the name that it was given."""

    def __init__(self, app: ConfiguredApp, queues: Any = None) -> None:
        """`queues` are those of the setting ``task_queues``, unless given: a list of queues and names, or a map."""
        super().__init__()
        self.app = app
        self._aliases: dict[str, str] = {}
        self._consume: dict[str, Any] | None = None
        conf = app.conf
        self.create_missing: bool = conf.task_create_missing_queues
        self.default_routing_key: str = conf.task_default_routing_key or conf.task_default_queue
        self.max_priority: int | None = conf.task_queue_max_priority
        for queue in self._configured(conf.task_queues if queues is None else queues):
            self.add(queue)

    def _configured(self, configured: Any) -> list[Any]:
        from kombu import Exchange, Queue  # Kombu is loaded by the first message, not by the app

        conf = self.app.conf
        if not configured:
            name = conf.task_default_queue
            exchange = Exchange(conf.task_default_exchange or name, type=conf.task_default_exchange_type)
            arguments = _arguments(conf.task_default_queue_type)
            routing_key = conf.task_default_routing_key or name
            return [Queue(name, exchange=exchange, routing_key=routing_key, queue_arguments=arguments)]
        if isinstance(configured, Mapping):
            return [_from_options(name, options) for name, options in configured.items()]
        queues = list(configured)
        wrong = [queue for queue in queues if not isinstance(queue, (Queue, str))]
        if wrong:
            raise ImproperlyConfigured(f"setting 'task_queues': {wrong[0]!r} is neither a kombu.Queue nor a name")
        return [self.new_missing(queue) if isinstance(queue, str) else queue for queue in queues]

    def __missing__(self, name: str) -> Any:
        if name in self._aliases:
            return self[self._aliases[name]]
        if not self.create_missing:
            known = ", ".join(sorted(self)) or "none"
            raise QueueNotFound(
                f"queue '{name}' is not in the setting 'task_queues' (known: {known}), "
                "and task_create_missing_queues is off"
            )
        return self.add(self.new_missing(name))

    def add(self, queue: Any, **options: Any) -> Any:
        """Add a queue by name or as it is, and return it."""
        if isinstance(queue, str):
            queue = _from_options(queue, options) if options else self.new_missing(queue)
        if not queue.routing_key:
            # The key by which senders reach a named exchange must be the one by which the queue is bound to it.
            named = queue.exchange is not None and queue.exchange.name
            queue.routing_key = self.default_routing_key if named else queue.name
        arguments = dict(queue.queue_arguments or {})
        if self.max_priority is not None:
            arguments.setdefault("x-max-priority", self.max_priority)
        queue.queue_arguments = arguments or None
        self[queue.name] = queue
        if getattr(queue, "alias", None):
            self._aliases[queue.alias] = queue.name
        return queue

    def format(self, indent: int = 0, indent_first: bool = True) -> str:
        """A line of text for each queue that a worker listens to, as in its banner."""
        lines = [
            f".> {name:<16} exchange={getattr(queue.exchange, 'name', '')}({getattr(queue.exchange, 'type', '')}) "
            f"key={queue.routing_key or ''}"
            for name, queue in sorted(self.consume_from.items())
        ]
        text = indented("\n".join(lines), " " * indent)
        return text if indent_first else text[indent:]

    def new_missing(self, name: str) -> Any:
        """The queue that is made when nobody has configured `name`."""
        from kombu import Exchange, Queue

        conf = self.app.conf
        kind = conf.task_create_missing_queue_exchange_type or "direct"
        arguments = _arguments(conf.task_create_missing_queue_type)
        return Queue(name, exchange=Exchange(name, type=kind), routing_key=name, queue_arguments=arguments)

    @property
    def consume_from(self) -> dict[str, Any]:
        """The queues that a worker of this app listens to."""
        return self if self._consume is None else self._consume

    def select(self, names: str | Iterable[str] | None) -> None:
        """Listen to these only (comma-separated or a list)."""
        if names:
            self._consume = {queue.name: queue for queue in map(self.__getitem__, _names(names))}

    def select_add(self, name: Any, **options: Any) -> Any:
        """Listen to one more: a queue, or one by its name."""
        queue = self.add(name, **options) if options or not isinstance(name, str) else self[name]
        if self._consume is not None:
            self._consume[queue.name] = queue
        return queue

    def deselect(self, names: str | Iterable[str] | None) -> None:
        """Listen to all but these."""
        left_out = {self._aliases.get(name, name) for name in _names(names or ())}
        if left_out:
            self._consume = {name: queue for name, queue in self.consume_from.items() if name not in left_out}


def _from_options(name: str, options: Mapping[str, Any]) -> Any:
    from kombu import Queue  # as above

    given = dict(options)
    if (key := given.pop("binding_key", None)) is not None:
        given.setdefault("routing_key", key)
    return Queue.from_dict(name, **given)


def worker_direct(hostname: str) -> Any:
    """The queue that the worker of this node name listens to alone, where the setting `worker_direct` is on.

    >>> add.apply_async((2, 2), queue=worker_direct("celery@host"))  # doctest: +SKIP
    """
    from kombu import Exchange, Queue  # as above

    return Queue(f"{hostname}.dq2", exchange=Exchange("C.dq2", type="direct"), routing_key=hostname)


def is_missing_queue(error: BaseException) -> bool:
    """Whether a broker's error says that there is no such queue."""
    # AMQP's number for it; Kombu's own transports give it as text.
    return str(getattr(error, "reply_code", None) or getattr(error, "code", None)) == "404"


def _arguments(kind: str) -> dict[str, Any] | None:
    """What a queue of that type is declared with; classic ones as they always were."""
    return {"x-queue-type": kind} if kind == "quorum" else None


def _names(names: str | Iterable[str]) -> list[str]:
    parts = names.split(",") if isinstance(names, str) else names
    return [name.strip() for name in parts if name.strip()]
