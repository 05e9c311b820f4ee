"""Dead letters, for people and programs: which there are, why, and sending them again.

Through the plain API of Kombu, so that it works with every broker.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from celeriac.app.lanes import properties_to_send_again, publish_plainly
from celeriac.app.queues import is_missing_queue
from celeriac.contracts.broker import OutgoingMessage
from celeriac.contracts.primitives import StorePrimitives
from celeriac.protocol.dead_letter import dead_letter_queue, losses_key, properties_of_letter, revived, story_of

if TYPE_CHECKING:
    from celeriac.app.base import Celery


class Letter(NamedTuple):
    """One dead letter: `reason` is an outcome's kind, `time` when it died (ISO 8601), `worker` who has buried it."""

    task_id: str
    task: str
    reason: str
    error: str | None
    time: str
    worker: str
    args: str
    kwargs: str
    retries: int


class DeadLetters:
    """Those of one app's queues.  All methods raise `kombu.exceptions.OperationalError` where the broker is away.

    `on_step` is told how many steps of `requeue` and `purge` are done, and of how many: each letter takes two.
    """

    def __init__(self, app: Celery, on_step: Callable[[int, int], object] | None = None) -> None:
        self.app = app
        self._on_step = on_step or _tell_nobody

    def counts(self, queues: Collection[str] | None = None) -> dict[str, int]:
        """How many there are, by queue; without `queues`, those of all queues that the app is configured with."""
        found = {}
        with self.app.connection_for_write() as connection:
            for queue in queues or list(self.app.amqp.queues):
                channel = connection.channel()
                try:
                    found[queue] = int(channel.queue_declare(dead_letter_queue(queue), passive=True).message_count)
                except connection.channel_errors as error:
                    if not is_missing_queue(error):
                        raise
                    found[queue] = 0
                finally:
                    connection.maybe_close_channel(channel)
        return found

    def show(self, queue: str, limit: int | None = None) -> list[Letter]:
        """The oldest ones of a queue; they stay where they are, and are out of sight of others for that moment."""
        with self._taken(queue, limit) as (_, messages):
            return [_described(message) for message in messages]

    def requeue(self, queue: str, task_ids: Collection[str] | None = None) -> int:
        """Send them again to where they were sent first, all or those of these tasks; gives their number.

        Each is sent before it is taken off: one that dies between the two is there twice.  Raises `StoreUnavailable`.
        """

        def send(channel: Any, message: Any) -> None:
            self._forgive(message.headers.get("id"))
            story = story_of(message.headers)
            publish_plainly(
                channel,
                OutgoingMessage(
                    _bytes(message.body),
                    message.content_type,
                    message.content_encoding,
                    revived(message.headers),
                    properties_of_letter(properties_to_send_again(message.properties)),
                    story.get("exchange") or "",
                    story.get("routing_key") or queue,
                ),
            )

        return self._settle(queue, task_ids, send)

    def _forgive(self, task_id: Any) -> None:
        """Give the task all its tries again, where the deaths of its processes are counted in the store."""
        backend = self.app.results.backend
        if isinstance(backend, StorePrimitives) and isinstance(task_id, str):
            backend.delete_values([losses_key(task_id)])

    def purge(self, queue: str, task_ids: Collection[str] | None = None) -> int:
        """Remove them, all or those of these tasks; gives their number.  There is no undo."""
        return self._settle(queue, task_ids, lambda _, __: None)

    def _settle(self, queue: str, task_ids: Collection[str] | None, act: Callable[[Any, Any], None]) -> int:
        count = 0
        with self._taken(queue, None) as (channel, messages):
            for number, message in enumerate(messages, 1):
                if task_ids is None or message.headers.get("id") in task_ids:
                    act(channel, message)
                    message.ack()
                    count += 1
                self._on_step(len(messages) + number, 2 * len(messages))
        return count

    @contextmanager
    def _taken(self, queue: str, limit: int | None) -> Iterator[tuple[Any, list[Any]]]:
        """The channel, and the messages that are there now; those that are not acked meanwhile go back in order."""
        from kombu import Queue  # by then it is loaded

        name = dead_letter_queue(queue)
        there = self.counts([queue])[queue]
        with self.app.connection_for_write() as connection:
            channel = connection.channel()
            source = Queue(name)(channel)
            messages: list[Any] = []
            wanted = there if limit is None else min(there, limit)
            try:
                while len(messages) < wanted:
                    message = source.get(no_ack=False)
                    if message is None:
                        break
                    messages.append(message)
                    self._on_step(len(messages), 2 * wanted)
                yield channel, messages
            finally:
                # The youngest first: each goes before those that went back earlier.
                for message in reversed(messages):
                    if not message.acknowledged:
                        message.requeue()
                channel.close()


def _tell_nobody(_: int, __: int) -> None:
    """Nobody watches."""


def _described(message: Any) -> Letter:
    headers, story = message.headers, story_of(message.headers)
    return Letter(
        str(headers.get("id") or ""),
        str(headers.get("task") or ""),
        str(story.get("reason") or ""),
        story.get("error"),
        str(story.get("time") or ""),
        str(story.get("worker") or ""),
        str(headers.get("argsrepr") or ""),
        str(headers.get("kwargsrepr") or ""),
        int(headers.get("retries") or 0),
    )


def _bytes(body: Any) -> bytes:
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
