"""The store primitives, for all who reach the server."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts import Notices, StorePrimitives
from celeriac_redis.scripts import Command, Script

if TYPE_CHECKING:
    from celeriac_redis.link import Link
    from celeriac_redis.links import Links

_compare_and_set: Final = Script("compare_and_set")
_lock_acquire: Final = Script("lock_acquire")
_lock_release: Final = Script("lock_release")
_set_fenced: Final = Script("set_fenced")

#: Keys of one command.
_AT_ONCE: Final = 500


class RedisPrimitives(StorePrimitives):
    """The part of the store that is no results: keys ``celeriac-value-*``, ``-counter-*``, ``-set-*``, ``-lock-*``."""

    _prefix: str
    _links: Links

    def _link(self) -> Link:
        raise NotImplementedError  # the backend's

    def _named(self, kind: str, name: str) -> str:
        return f"{self._prefix}celeriac-{kind}-{name}"

    def _ask(self, *commands: Command) -> list[Any]:
        with self._links.lend() as link:
            return link.ask(*commands)

    def get_values(self, keys: Sequence[str]) -> dict[str, bytes]:
        some = [keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)]
        if not some:
            return {}
        answers = self._ask(*(("MGET", *(self._named("value", key) for key in part)) for part in some))
        found = zip(keys, (value for answer in answers for value in answer), strict=True)
        return {key: value for key, value in found if value is not None}

    def set_values(self, values: Mapping[str, bytes], expires: float | None = None) -> None:
        life = () if expires is None else ("PX", _milliseconds(expires))
        if values:
            self._ask(
                ("MULTI",),
                *(("SET", self._named("value", key), value, *life) for key, value in values.items()),
                ("EXEC",),
            )

    def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes | None, expires: float | None = None
    ) -> bool:
        life = "" if expires is None else _milliseconds(expires)
        (answer,) = self._ask(_compare_and_set([self._named("value", key)], *_maybe(expected), *_maybe(value), life))
        return bool(answer)

    def delete_values(self, keys: Sequence[str]) -> None:
        if keys:
            self._ask(("DEL", *(self._named("value", key) for key in keys)))

    def increment(self, name: str, by: int = 1) -> int:
        (count,) = self._ask(("INCRBY", self._named("counter", name), by))
        return int(count)

    def add_members(self, name: str, members: Mapping[str, float]) -> None:
        if members:
            pairs = [part for member, score in members.items() for part in (repr(float(score)), member)]
            self._ask(("ZADD", self._named("set", name), *pairs))

    def remove_members(self, name: str, members: Sequence[str]) -> None:
        if members:
            self._ask(("ZREM", self._named("set", name), *members))

    def members_between(
        self, name: str, lowest: float, highest: float, limit: int | None = None
    ) -> list[tuple[str, float]]:
        some = () if limit is None else ("LIMIT", 0, limit)
        command = ("ZRANGEBYSCORE", self._named("set", name), repr(float(lowest)), repr(float(highest)), "WITHSCORES")
        (answer,) = self._ask((*command, *some))
        return [(member.decode(), float(score)) for member, score in zip(answer[::2], answer[1::2], strict=True)]

    def acquire_lock(self, name: str, owner: str, seconds: float) -> int | None:
        keys = [self._named("lock", name), self._named("token", name)]
        (token,) = self._ask(_lock_acquire(keys, owner, _milliseconds(seconds)))
        return int(token) or None

    def release_lock(self, name: str, owner: str) -> bool:
        (answer,) = self._ask(_lock_release([self._named("lock", name)], owner))
        return bool(answer)

    def set_fenced(self, name: str, token: int, values: Mapping[str, bytes | None]) -> bool:
        keys = [self._named("token", name), *(self._named("value", key) for key in values)]
        arguments = [part for value in values.values() for part in _maybe(value)]
        (answer,) = self._ask(_set_fenced(keys, token, *arguments))
        return bool(answer)

    def notify(self, channel: str) -> None:
        self._ask(("PUBLISH", self._named("notice", channel), b""))

    def listen(self, channel: str) -> Notices:
        return RedisNotices(self._link(), self._named("notice", channel))


class RedisNotices(Notices):
    """A subscription on a connection of its own, made anew where it was lost."""

    def __init__(self, link: Link, channel: str) -> None:
        self._link = link
        self._channel = channel
        self._subscribe()

    def wait(self, timeout: float) -> bool:
        if not self._link.connected:
            self._subscribe()
            return True  # what came in the meantime, nobody knows
        monotonic_deadline = time.monotonic() + timeout
        news = False
        while self._link.waiting(0.0 if news else max(monotonic_deadline - time.monotonic(), 0.0)):
            self._link.read()
            news = True
        return news

    def close(self) -> None:
        self._link.close()

    def _subscribe(self) -> None:
        self._link.send(("SUBSCRIBE", self._channel))
        self._link.read()


def _milliseconds(seconds: float) -> int:
    return max(int(seconds * 1000), 1)


def _maybe(value: bytes | None) -> tuple[int, bytes]:
    """A value that may be missing, as the scripts take it."""
    return (0, b"") if value is None else (1, value)
