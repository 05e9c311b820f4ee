"""Messages moved from queue to queue, one by one and by what is in them (``celery.contrib.migrate``).

Each is sent before it is acked: one that is on its way when this process dies is in both queues, none is in neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from kombu import Exchange, Queue
from kombu.common import maybe_declare
from kombu.utils.imports import symbol_by_name

from celeriac.contracts import OutgoingMessage
from celeriac.protocol.headers import is_v2

#: Seconds between two looks at queues that were empty.
_PAUSE: Final = 0.1


class StopFiltering(Exception):
    """Raised by a filter or a callback: enough."""


class State:
    """How far it is: `count` messages looked at, `filtered` moved, of `total_apx` or so."""

    count = 0
    filtered = 0
    total_apx = 0

    @property
    def strtotal(self) -> str:
        """The total; a question mark where it is not known."""
        return str(self.total_apx) if self.total_apx else "?"

    def __repr__(self) -> str:
        return f"^{self.filtered}" if self.filtered else f"{self.count}/{self.strtotal}"


def republish(
    producer: Any,
    message: Any,
    exchange: Any = None,
    routing_key: str | None = None,
    remove_props: Iterable[str] | None = None,
) -> None:
    """Send a message again as it is, to another place."""
    properties = symbol_by_name("celeriac.app.lanes:properties_to_send_again")(message.properties)
    left = {key: value for key, value in properties.items() if key not in (remove_props or ())}
    body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
    outgoing = OutgoingMessage(
        body,
        message.content_type,
        message.content_encoding,
        dict(message.headers or {}),
        left,
        getattr(exchange, "name", exchange) or "",
        routing_key or "",
    )
    symbol_by_name("celeriac.app.lanes:publish_plainly")(producer.channel, outgoing)


def migrate_task(producer: Any, body_: Any, message: Any, queues: Mapping[str, str] | None = None) -> None:
    """Send a message to the queue that it was in; `queues` renames exchanges and routing keys."""
    names, info = queues or {}, message.delivery_info
    exchange, key = info.get("exchange") or "", info.get("routing_key") or ""
    republish(producer, message, exchange=names.get(exchange, exchange), routing_key=names.get(key, key))


def start_filter(
    app: Any,
    conn: Any,
    filter: Callable[[Any, Any], Any],
    limit: int | None = None,
    timeout: float = 1.0,
    ack_messages: bool = False,
    tasks: Any = None,
    queues: Any = None,
    callback: Callable[[State, Any, Any], Any] | None = None,
    forever: bool = False,
    on_declare_queue: Callable[[Any], Any] | None = None,
    consume_from: Any = None,
    state: State | None = None,
    accept: Any = None,
    **_: Any,
) -> State:
    """Call ``filter(body, message)`` for each message of some queues, until nothing has come for `timeout` seconds.

    `body` is a map with ``task``, ``id``, ``args`` and ``kwargs``.  What is neither acked here nor by the filter goes
    back to its queue in the end.  `tasks` are the names of those that are looked at, all unless given.
    """
    state = state or State()
    names, wanted = _names(consume_from or queues or app.amqp.queues.consume_from), {*_listed(tasks)}
    channel, kept = conn.default_channel, []
    bound = [_queue(app, name)(channel) for name in names]
    for queue in bound:
        declared = queue.queue_declare(passive=False)
        state.total_apx += int(getattr(declared, "message_count", 0) or 0)
        if on_declare_queue is not None:
            on_declare_queue(queue)
    try:
        for message in _messages(bound, timeout, forever):
            kept.append(message)
            body = _body(app, message)
            if wanted and body["task"] not in wanted:
                continue
            state.count += 1
            filter(body, message)
            if callback is not None:
                callback(state, body, message)
            if ack_messages and not message.acknowledged:
                message.ack()
            if limit and state.count >= limit:
                break
    except StopFiltering:
        pass
    finally:
        # The youngest first: each goes before those that went back earlier.
        for message in reversed(kept):
            if not message.acknowledged:
                message.requeue()
    return state


def _messages(queues: list[Any], timeout: float, forever: bool) -> Iterator[Any]:
    monotonic_last = time.monotonic()
    while True:
        found = False
        for queue in queues:
            while (message := queue.get(no_ack=False)) is not None:
                found = True
                monotonic_last = time.monotonic()
                yield message
        if not found:
            if not forever and time.monotonic() - monotonic_last >= timeout:
                return
            time.sleep(_PAUSE)


def _body(app: Any, message: Any) -> dict[str, Any]:
    """What is in a message, as a map; of one that cannot be read only what its headers tell."""
    headers = message.headers or {}
    if not is_v2(headers):
        return dict(message.decode())
    found = {"task": headers["task"], "id": headers["id"], "eta": headers.get("eta"), "args": (), "kwargs": {}}
    try:
        found["args"], found["kwargs"], _ = message.decode()
    except Exception:  # noqa: BLE001  # content that this process does not accept: it can be moved all the same
        return found
    return found


def _names(queues: Any) -> list[Any]:
    return list(queues) if not isinstance(queues, str) else queues.split(",")


def _listed(tasks: Any) -> list[str]:
    return tasks.split(",") if isinstance(tasks, str) else list(tasks or ())


def _queue(app: Any, name: Any) -> Any:
    return name if isinstance(name, Queue) else app.amqp.queues[name]


def _app(app: Any) -> Any:
    return app or symbol_by_name("celeriac.app.current:get_current_app")()


def migrate_tasks(
    source: Any,
    dest: Any,
    migrate: Callable[..., Any] = migrate_task,
    app: Any = None,
    queues: Any = None,
    **kwargs: Any,
) -> State:
    """Send what is in the queues of one broker to those of another; `source` and `dest` are connections."""
    app = _app(app)
    names = dict(queues) if isinstance(queues, Mapping) else {}
    if dest.transport.driver_type == "amqp":  # else a message might be acked here and never have come there
        dest.transport_options = {**dest.transport_options, "confirm_publish": True}
    with dest.Producer(auto_declare=False) as producer:

        def declare(queue: Any) -> None:
            new = names.get(queue.name, queue.name)
            there = Queue(new, queue.exchange, names.get(queue.routing_key, queue.routing_key))
            maybe_declare(there, producer.channel)

        send = partial(migrate, producer, queues=names)
        return start_filter(app, source, send, queues=queues, on_declare_queue=declare, **kwargs)


def move(
    predicate: Callable[[Any, Any], Any],
    connection: Any = None,
    exchange: Any = None,
    routing_key: str | None = None,
    source: Any = None,
    app: Any = None,
    callback: Callable[[State, Any, Any], Any] | None = None,
    limit: int | None = None,
    transform: Callable[[Any], Any] | None = None,
    **kwargs: Any,
) -> State:
    """Move those messages for which ``predicate(body, message)`` is true.

    It gives where to: a queue, a pair of exchange and routing key, or anything true for `exchange` and `routing_key`;
    `transform` makes one of these of what it gives.  `source` names the queues, those of the app unless given.
    """
    app, state = _app(app), State()
    with app.connection_or_acquire(connection, pool=False) as conn, conn.Producer(auto_declare=False) as producer:

        def look(body: Any, message: Any) -> None:
            answer = predicate(body, message)
            if not answer:
                return
            target = transform(answer) if transform is not None else answer
            if isinstance(target, Queue):
                maybe_declare(target, producer.channel)
                there: Any = (target.exchange.name, target.routing_key) if target.exchange.name else ("", target.name)
            else:
                there = target if isinstance(target, (list, tuple)) else (exchange, routing_key)
            republish(producer, message, exchange=there[0], routing_key=there[1])
            message.ack()
            state.filtered += 1
            if callback is not None:
                callback(state, body, message)
            if limit and state.filtered >= limit:
                raise StopFiltering

        return start_filter(app, conn, look, consume_from=source, state=state, **kwargs)


def task_id_eq(task_id: str, body: Any, message: Any) -> bool:
    """Whether it is the message of that task."""
    return bool(body["id"] == task_id)


def task_id_in(ids: Any, body: Any, message: Any) -> bool:
    """Whether it is the message of one of these tasks."""
    return body["id"] in ids


def _to_queue(value: Any) -> Any:
    return Queue(value, Exchange(value), value) if isinstance(value, str) else value


def move_task_by_id(task_id: str, dest: Any, **kwargs: Any) -> State:
    """Move one task to a queue."""
    return move_by_idmap({task_id: dest}, **kwargs)


def move_by_idmap(map: Mapping[str, Any], **kwargs: Any) -> State:
    """Move tasks, by their ids, to the queues that the map has for them."""
    return move(lambda body, _: map.get(body["id"]), limit=len(map), transform=_to_queue, **kwargs)


def move_by_taskmap(map: Mapping[str, Any], **kwargs: Any) -> State:
    """Move tasks, by their names, to the queues that the map has for them."""
    return move(lambda body, _: map.get(body["task"]), transform=_to_queue, **kwargs)


def move_direct(predicate: Callable[[Any, Any], Any], *args: Any, **kwargs: Any) -> State:
    """`move`; the predicate gives the names of workers, to whose own queues the tasks go."""
    to_worker = symbol_by_name("celeriac.app.queues:worker_direct")
    return move(predicate, *args, **{"transform": to_worker, **kwargs})


move_direct_by_id = partial(move_task_by_id, transform=symbol_by_name("celeriac.app.queues:worker_direct"))

__all__ = [
    "State",
    "StopFiltering",
    "migrate_task",
    "migrate_tasks",
    "move",
    "move_by_idmap",
    "move_by_taskmap",
    "move_direct",
    "move_direct_by_id",
    "move_task_by_id",
    "republish",
    "start_filter",
    "task_id_eq",
    "task_id_in",
]
