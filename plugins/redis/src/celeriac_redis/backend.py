"""The result store driver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha1
from typing import Any, ClassVar, Final

from celeriac.contracts import Backend, ChordPart, ChordStore, NewChord, ResultWatcher, StoredResult, Turn
from celeriac.exceptions import ProtocolError, SecurityError, StoreUnavailable
from celeriac_redis.address import DEFAULT_PORT
from celeriac_redis.chords import Chords
from celeriac_redis.link import Link
from celeriac_redis.links import Links
from celeriac_redis.options import LinkOptions, link_options
from celeriac_redis.payload import Codec
from celeriac_redis.primitives import RedisPrimitives
from celeriac_redis.scripts import Command, Script
from celeriac_redis.servers import servers_of
from celeriac_redis.watcher import RedisResultWatcher

_store: Final = Script("store")

#: Keys of one command.
_AT_ONCE: Final = 500
#: How often to look again at a result that others replace while we look.
_TRIES: Final = 10


class RedisBackend(RedisPrimitives, Backend, ChordStore):
    """Results under the keys of Celery, told on channels of the same names."""

    default_port: ClassVar[int] = DEFAULT_PORT

    def __init__(self, app: Any, url: str) -> None:
        super().__init__(app, url)
        conf = app.conf
        given: dict[str, Any] = dict(conf.result_backend_transport_options or {})
        prefix = given.get("global_keyprefix") or ""
        joined = prefix if not prefix or prefix[-1] in ":_-." else f"{prefix}_"
        ssl = getattr(conf, "redis_backend_use_ssl", None)
        self._options = _options(conf, given)
        self._servers = servers_of(url.split(";"), self._options, given, joined, ssl)
        self._prefix = self._servers.prefix
        self._codec = Codec(app)
        self._chords = Chords(self._codec, self._group_key)
        self._links = Links(self._link)

    def _link(self) -> Link:
        return Link(self._servers, self._options, StoreUnavailable)

    def _key(self, task_id: str) -> str:
        return f"{self._prefix}celery-task-meta-{task_id}"

    def _group_key(self, group_id: str) -> str:
        return f"{self._prefix}celery-taskset-meta-{group_id}"

    # -- results ----------------------------------------------------------------------------------

    def store(self, results: Sequence[StoredResult]) -> None:
        entries = self._entries(results)
        if entries:
            with self._links.lend() as link:
                self._store_all(link, entries)

    def _entries(self, results: Iterable[StoredResult]) -> list[tuple[str, int | str, bytes]]:
        codec = self._codec
        return [(self._key(one.task_id), codec.kept(one.state, one.expires), codec.encode(one.meta)) for one in results]

    def _store_all(self, link: Link, entries: list[tuple[str, int | str, bytes]], *also: Command) -> list[Any]:
        """Store all; the answers to further commands that go with them."""
        commands = [_store_command(entries[start : start + _AT_ONCE]) for start in range(0, len(entries), _AT_ONCE)]
        answers = link.ask(*commands, *also)
        for start, unread in zip(range(0, len(entries), _AT_ONCE), answers, strict=False):
            for place in unread:
                self._replace(link, entries[start + place - 1])
        return answers[len(commands) :]

    def _replace(self, link: Link, entry: tuple[str, int | str, bytes]) -> None:
        """Store a result over one that only the serializer can read."""
        for _ in range(_TRIES):
            (old,) = link.ask(("GET", entry[0]))
            if old is not None and self._is_success(old):
                return
            (unread,) = link.ask(_store_command([entry], sha1(old or b"", usedforsecurity=False).hexdigest()))
            if not unread:
                return
        raise StoreUnavailable(f"Redis at {link.address}: the result {entry[0]} changes all the time")

    def _is_success(self, data: bytes) -> bool:
        try:
            meta = self._codec.decode(data)
        except (ProtocolError, SecurityError):  # what nobody can read may be replaced
            return False
        return isinstance(meta, dict) and meta.get("status") == "SUCCESS"

    def fetch(self, task_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        ids = list(task_ids)
        if not ids:
            return found
        with self._links.lend() as link:
            for start in range(0, len(ids), _AT_ONCE):
                some = ids[start : start + _AT_ONCE]
                (values,) = link.ask(("MGET", *map(self._key, some)))
                found.update(
                    {
                        task_id: self._codec.decode(data)
                        for task_id, data in zip(some, values, strict=True)
                        if data is not None
                    }
                )
        return found

    def delete(self, task_ids: Sequence[str]) -> None:
        ids = list(task_ids)
        if ids:
            with self._links.lend() as link:
                link.ask(("DEL", *map(self._key, ids)))

    def watch(self) -> ResultWatcher:
        return RedisResultWatcher(
            self._link(), self._key, self._codec.decode, lambda task_ids: self.fetch(task_ids).values()
        )

    # -- groups -----------------------------------------------------------------------------------

    def store_group(self, group_id: str, meta: dict[str, Any], expires: float | None = None) -> None:
        kept = self._codec.kept("", expires)
        expiry = ("PX", kept) if kept else ()
        with self._links.lend() as link:
            link.ask(("SET", self._group_key(group_id), self._codec.encode(meta), *expiry))

    def fetch_group(self, group_id: str) -> dict[str, Any] | None:
        with self._links.lend() as link:
            (data,) = link.ask(("GET", self._group_key(group_id)))
        return None if data is None else self._codec.decode(data)

    def delete_group(self, group_id: str) -> None:
        with self._links.lend() as link:
            link.ask(("DEL", self._group_key(group_id)))

    # -- chords -----------------------------------------------------------------------------------

    def start_chords(self, chords: Sequence[NewChord]) -> None:
        if chords:
            with self._links.lend() as link:
                link.ask(*map(self._chords.start, chords))

    def grow_chord(self, group_id: str, count: int = 1) -> None:
        with self._links.lend() as link:
            link.ask(*self._chords.grow(group_id, count))

    def store_with_parts(self, results: Sequence[StoredResult], parts: Sequence[ChordPart]) -> dict[str, Turn]:
        # All is encoded before anything is stored.
        entries, additions = self._entries(results), [self._chords.add(part) for part in parts]
        turns: dict[str, Turn] = {}
        with self._links.lend() as link:
            answers = self._store_all(link, entries, *additions)
        for part, answer in zip(parts, answers, strict=True):
            turn = self._chords.turn(answer)
            if turn is not None and turns.get(part.group_id) is not Turn.CLAIMED:
                turns[part.group_id] = turn
        return turns

    def claim_chord(self, group_id: str) -> Turn | None:
        with self._links.lend() as link:
            (answer,) = link.ask(self._chords.ask(group_id))
        return self._chords.turn(answer)

    def read_chord(self, group_id: str) -> tuple[dict[str, Any] | None, list[tuple[str, str, Any]]]:
        with self._links.lend() as link:
            body, parts = link.ask(*self._chords.read(group_id))
        return self._chords.found(body, parts)

    def end_chords(self, group_ids: Sequence[str]) -> None:
        if group_ids:
            with self._links.lend() as link:
                link.ask(*map(self._chords.end, group_ids))

    def admit(self, call: str, token: str) -> bool:
        with self._links.lend() as link:
            _, admitted = link.ask(*self._chords.admit(call, token))
        return bool(admitted == token.encode())

    # -- life -------------------------------------------------------------------------------------

    def after_fork(self) -> None:
        self._links.after_fork()

    def close(self) -> None:
        self._links.close()


def _store_command(entries: Sequence[tuple[str, int | str, bytes]], seen: str = "") -> Command:
    arguments = [argument for _, kept, data in entries for argument in (kept, data, seen)]
    return _store([key for key, _, _ in entries], *arguments)


def _options(conf: Any, given: Mapping[str, Any]) -> LinkOptions:
    """The options of the settings ``redis_*``; those of ``result_backend_transport_options`` go first."""
    stated = {
        name: value
        for name in ("socket_timeout", "socket_connect_timeout", "socket_keepalive", "client_name")
        # A setting is missing where this plugin's hooks are disabled.
        if (value := getattr(conf, f"redis_{name}", None)) is not None
    }
    return link_options({**stated, **given})
