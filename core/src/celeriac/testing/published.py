"""What an app has sent: seen on its way to the broker, and judged by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from celeriac.contracts import Middleware, OutgoingMessage
from celeriac.plugin import hookimpl

if TYPE_CHECKING:
    from celeriac.app.base import Celery


@dataclass(frozen=True, slots=True)
class PublishedTask:
    """One task message; `args` and `kwargs` as they come out of the serializer at the other end."""

    name: str
    id: str
    args: list[Any]
    kwargs: dict[str, Any]
    queue: str
    exchange: str
    routing_key: str
    eta: datetime | None
    headers: Mapping[str, Any]
    properties: Mapping[str, Any]

    def __str__(self) -> str:
        given = [*map(repr, self.args), *(f"{key}={value!r}" for key, value in self.kwargs.items())]
        when = "" if self.eta is None else f", eta {self.eta.isoformat()}"
        return f"{self.name}({', '.join(given)}) to {self.queue or self.routing_key}{when}"


class Published(list[PublishedTask]):
    """All that was sent, the oldest first; `task` is a task or its name."""

    def of(self, task: Any) -> list[PublishedTask]:
        """The messages of one task."""
        name = getattr(task, "name", task)
        return [sent for sent in self if sent.name == name]

    def assert_published(self, task: Any, *, times: int | None = None, **expected: Any) -> PublishedTask:
        """One message of `task` is as `expected` says, or exactly so many `times`; gives the last of them.

        `expected` are fields of `PublishedTask`; `headers` and `properties` need to hold what is given, and may hold
        more.  Raises AssertionError, with what was sent instead, and TypeError for a field that there is not.
        """
        if unknown := sorted(set(expected) - set(PublishedTask.__slots__)):
            raise TypeError(f"a published task has no {unknown[0]!r}; it has {', '.join(PublishedTask.__slots__)}")
        found = [sent for sent in self.of(task) if all(_holds(sent, *each) for each in expected.items())]
        if not found or (times is not None and len(found) != times):
            wanted = getattr(task, "name", task)
            how = "".join(f", {field}={value!r}" for field, value in expected.items())
            often = "at least once" if times is None else f"{times} times"
            raise AssertionError(f"{wanted}{how}: to be sent {often}, and was {len(found)} times. {self._told()}")
        return found[-1]

    def assert_nothing_published(self, task: Any = None) -> None:
        """Nothing was sent; with `task` nothing of that task.  Raises AssertionError with what was."""
        if self if task is None else self.of(task):
            raise AssertionError(f"nothing was to be sent. {self._told()}")

    def _told(self) -> str:
        return "Sent: " + ("; ".join(map(str, self)) or "nothing")


def _holds(sent: PublishedTask, field: str, wanted: Any) -> bool:
    found = getattr(sent, field)
    if field in {"headers", "properties"}:
        return all(key in found and found[key] == value for key, value in wanted.items())
    if field == "args":
        return bool(found == list(wanted))
    return bool(found == wanted)


@contextmanager
def published(app: Celery, *, deliver: bool = True) -> Iterator[Published]:
    """Note each task that `app` sends while the block lasts; with `deliver` false it goes no further.

    Eager tasks are not sent.

    >>> with published(app) as sent:  # doctest: +SKIP
    ...     register(user)
    >>> sent.assert_published(welcome, args=[user.id], queue="mail")  # doctest: +SKIP
    """
    watcher = _Watcher(app, deliver)
    app.plugins.register(watcher)
    app.publisher.rebind()
    try:
        yield watcher.seen
    finally:
        app.plugins.unregister(watcher)
        app.publisher.rebind()


class _Watcher:
    """A plugin that sees each message last, as the broker would get it."""

    def __init__(self, app: Celery, deliver: bool) -> None:
        self.seen = Published()
        self._app = app
        self._deliver = deliver

    @hookimpl
    def celeriac_publish_middleware(self) -> list[Middleware]:
        return [Middleware(1_000_000, self._note, "published")]

    def _note(self, message: OutgoingMessage, call_next: Callable[[Any], Any]) -> Any:
        self.seen.append(self._read(message))
        return call_next(message) if self._deliver else None

    def _read(self, message: OutgoingMessage) -> PublishedTask:
        headers = message.headers
        compression = headers.get("compression")
        plain = self._app.compression.expand(message.body, compression) if compression else message.body
        body = self._app.serializers.decode(plain, message.content_type)
        args, kwargs = (body[0], body[1]) if headers else (body["args"], body["kwargs"])  # without: protocol 1
        return PublishedTask(
            headers["task"] if headers else body["task"],
            headers["id"] if headers else body["id"],
            list(args),
            dict(kwargs),
            getattr(message.queue, "name", "") or message.routing_key,
            message.exchange,
            message.routing_key,
            None if message.eta is None else datetime.fromtimestamp(message.eta, UTC),
            headers,
            message.properties,
        )
