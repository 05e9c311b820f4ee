"""Schedules in a store: what anybody may add, change and remove while beat runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final, NamedTuple, TypeVar
from uuid import NAMESPACE_URL, uuid5

from celeriac.beat.entry import FIELDS, ScheduleEntry
from celeriac.contracts.primitives import StorePrimitives
from celeriac.exceptions import ImproperlyConfigured
from celeriac.schedules import from_dict, maybe_schedule, to_dict

T = TypeVar("T")

logger = logging.getLogger("celeriac.beat")

#: Where an entry comes from: the configuration, or somebody who added it.
CONFIGURED: Final = "configuration"
ADDED: Final = "added"

#: Changes that are told together; and how many may be on their way at the same time.
_TOLD: Final = 100
_LATE: Final = 1000

_EVERYTHING: Final = (float("-inf"), float("inf"))


class RunState(NamedTuple):
    """When an entry ran last; `sending` are runs that were about to be sent."""

    last_run_at: datetime
    total_run_count: int
    sending: tuple[datetime, ...] = ()


class Stored(NamedTuple):
    """An entry as the store has it."""

    fields: dict[str, Any]
    source: str


class StoredSchedule:
    """The entries of one app in its result store, by name; may be used from anywhere, at any time.

    A beat that runs follows a change in well under a second.  Raises `ImproperlyConfigured` where the store of the app
    does not have the primitives.
    """

    def __init__(self, app: Any, store: Any = None) -> None:
        self.app = app
        found = app.backend if store is None else store
        if not isinstance(found, StorePrimitives):
            raise ImproperlyConfigured(
                "the scheduler 'store' needs a result_backend with the store primitives (sqlite://, redis://), and "
                f"{found.as_uri() or 'the one configured'} does not have them"
            )
        self.store: StorePrimitives = found
        self.base = f"beat:{app.main or 'celery'}"

    @property
    def channel(self) -> str:
        """Where changes are told."""
        return f"{self.base}:changes"

    def _key(self, kind: str, name: str) -> str:
        return f"{self.base}:{kind}:{name}"

    # -- entries ------------------------------------------------------------------------------------------------------

    def changes(self, since: float = _EVERYTHING[0]) -> dict[str, float]:
        """The entries that were added, changed or removed after a version, each with the version of its last change.

        Of those that change at once the later version may be seen first, so some versions before are told again.
        """
        return dict(self.store.members_between(self.channel, since - _LATE, _EVERYTHING[1]))

    def mark(self) -> bytes | None:
        """What differs after each change: cheap to ask for, and to be asked for before `changes`."""
        key = self._key("mark", "changes")
        return self.store.get_values([key]).get(key)

    def read(self, names: Iterable[str]) -> dict[str, Stored]:
        """Those of the entries that there are."""
        names = list(names)
        found = self.store.get_values([self._key("entry", name) for name in names])
        known = [name for name in names if self._key("entry", name) in found]
        values = _parsed([found[self._key("entry", name)] for name in known])
        return _made(_stored, zip(known, values, strict=True))

    def all(self) -> dict[str, Stored]:
        """All entries."""
        return self.read(self.changes())

    def put(self, name: str, entry: Mapping[str, Any], source: str = ADDED) -> None:
        """Add an entry, in the form of ``beat_schedule``, or put it in the place of one.

        Raises `ImproperlyConfigured` for one that is wrong.
        """
        self.put_all({name: Stored(fields_of(ScheduleEntry.of(name, entry, self.app)), source)})

    def put_all(self, entries: Mapping[str, Stored]) -> None:
        """Add entries, or put them in the place of others, in a few round trips for all."""
        if entries:
            values = {self._key("entry", name): json.dumps(one._asdict()).encode() for name, one in entries.items()}
            self.store.set_values(values)
            self._tell(entries)

    def remove(self, name: str) -> bool:
        """Remove an entry; whether there was one."""
        if name not in self.read([name]):
            return False
        self.store.delete_values([self._key("entry", name), self._key("state", name)])
        self._tell([name])
        return True

    def forget(self, names: Iterable[str]) -> list[str]:
        """Take the names of entries that were removed out of the store; those that were.

        For the leading beat, which has taken note of that: another reads all names when it takes over.

        An entry that somebody adds at the same time stays, also where this process ends half way: its successor asks
        for the names that are `being_forgotten`, and forgets them again.
        """
        gone, key = self._without_entry(names), self._key("forgetting", "names")
        if gone:
            self.store.set_values({key: json.dumps(gone).encode()})
            self.store.remove_members(self.channel, gone)
            self._tell_of_added(gone)
        self.store.delete_values([key])
        return gone

    def being_forgotten(self) -> list[str]:
        """Names that a leader was about to forget when it ended; those that have an entry are told of again."""
        key = self._key("forgetting", "names")
        value = self.store.get_values([key]).get(key)
        names = [] if value is None else [str(name) for name in _parsed_alone(value) or ()]
        self._tell_of_added(names)
        return names

    def _tell_of_added(self, names: list[str]) -> None:
        if added := set(names).difference(self._without_entry(names)):
            self._tell(added)

    def _without_entry(self, names: Iterable[str]) -> list[str]:
        names = list(names)
        found = self.store.get_values([self._key("entry", name) for name in names])
        return [name for name in names if self._key("entry", name) not in found]

    def set_enabled(self, name: str, enabled: bool) -> bool:
        """Pause an entry, or have it go on; whether there is one."""
        known = self.read([name]).get(name)
        if known is None:
            return False
        self.put_all({name: known._replace(fields={**known.fields, "enabled": enabled})})
        return True

    def _tell(self, names: Iterable[str]) -> None:
        names = list(names)
        for start in range(0, len(names), _TOLD):
            some = names[start : start + _TOLD]
            last = self.store.increment(self.channel, len(some))
            self.store.add_members(self.channel, {name: last - number for number, name in enumerate(some)})
        self.store.set_values({self._key("mark", "changes"): token_hex(8).encode()})
        self.store.notify(self.channel)

    def entry(self, name: str, stored: Stored) -> ScheduleEntry:
        """The entry itself.  Raises `ImproperlyConfigured`."""
        fields = {**stored.fields, "schedule": from_dict(stored.fields["schedule"], self.app)}
        return ScheduleEntry.of(name, fields, self.app)

    # -- runs ---------------------------------------------------------------------------------------------------------

    def states(self, names: Iterable[str]) -> dict[str, RunState]:
        """When those of the entries ran last that have run."""
        names = list(names)
        found = self.store.get_values([self._key("state", name) for name in names])
        known = [name for name in names if self._key("state", name) in found]
        values = _parsed([found[self._key("state", name)] for name in known])
        return _made(_state, zip(known, values, strict=True))

    def note(self, lock: str, token: int, states: Mapping[str, RunState]) -> bool:
        """Keep states, unless the lock has been given to another; whether they were kept."""
        values = {self._key("state", name): _encoded(state) for name, state in states.items()}
        return self.store.set_fenced(lock, token, values)

    def task_id(self, name: str, run: datetime, count: int) -> str:
        """The id of the task of one run, before which there were `count`: whoever sends it, it is the same.

        Where the clock was set back the same moment comes again, and is another run.
        """
        return str(uuid5(NAMESPACE_URL, f"celeriac:{self.base}:{name}:{count}:{run.timestamp():.6f}"))


def fields_of(entry: ScheduleEntry) -> dict[str, Any]:
    """What is kept of an entry.  Raises `ImproperlyConfigured` for what JSON does not have."""
    fields = {field: getattr(entry, field) for field in FIELDS}
    fields["schedule"] = to_dict(maybe_schedule(entry.schedule))
    fields["args"] = list(entry.args)
    try:
        kept: dict[str, Any] = json.loads(json.dumps(fields))
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"the entry {entry.name!r} cannot be kept in a store: {error}") from error
    return kept


def _parsed(values: Sequence[bytes]) -> list[Any]:
    """What is kept as JSON, all at once: with ten thousand entries each call counts.  None for what is none."""
    try:
        parsed: list[Any] = json.loads(b"[" + b",".join(values) + b"]")
    except (ValueError, RecursionError):
        return [_parsed_alone(value) for value in values]
    return parsed if len(parsed) == len(values) else [_parsed_alone(value) for value in values]


def _parsed_alone(value: bytes) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _made(make: Callable[[Any], T], found: Iterable[tuple[str, Any]]) -> dict[str, T]:
    """By name; what somebody else has put there is logged and left out, so that all others go on."""
    made: dict[str, T] = {}
    for name, value in found:
        try:
            made[name] = make(value)
        except (KeyError, TypeError, ValueError, OverflowError):
            logger.error("beat: what the store has of the entry %r cannot be read: %.200r", name, value)
    return made


def _stored(known: Any) -> Stored:
    fields, source = known["fields"], known["source"]
    if not isinstance(fields, dict) or not isinstance(source, str):
        raise TypeError("an entry is a map of fields, and where it is from")
    return Stored(fields, source)


def _encoded(state: RunState) -> bytes:
    return json.dumps(
        [state.last_run_at.isoformat(), state.total_run_count, [run.isoformat() for run in state.sending]]
    ).encode()


def _state(known: Any) -> RunState:
    last, count, sending = known
    return RunState(_moment(last), int(count), tuple(map(_moment, sending)))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
