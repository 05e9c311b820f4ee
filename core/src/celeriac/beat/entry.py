"""One periodic task: what is sent, when, and when it was sent last."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from celeriac.beat.missed import ONCE, POLICIES
from celeriac.exceptions import ImproperlyConfigured
from celeriac.protocol import wall
from celeriac.schedules import maybe_schedule

#: What an entry of ``beat_schedule`` may have.
FIELDS: Final = (
    *("task", "schedule", "args", "kwargs", "options", "relative"),
    *("missed", "deadline", "jitter", "enabled", "run_at_start"),
)


class BeatLazyFunc:
    """An argument that is computed when the task is sent: ``BeatLazyFunc(datetime.now)``."""

    def __init__(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._func = func
        self._args = args
        self._kwargs = kwargs

    def __call__(self) -> Any:
        return self.delay()

    def delay(self) -> Any:
        """What the function gives now."""
        return self._func(*self._args, **self._kwargs)


class ScheduleEntry:
    """An entry of the schedule.

    Beyond Celery's: `missed` says what is done about runs that were missed (``"once"``, ``"skip"``, ``"all"``),
    `deadline` how many seconds a run may be late, `jitter` by up to how many seconds each run is put off at random;
    with `enabled` false it is not sent, with `run_at_start` also when beat starts.
    """

    # Of subclasses that set their fields themselves.
    missed: str = ONCE
    deadline: float | None = None
    jitter: float = 0.0
    enabled: bool = True
    run_at_start: bool = False

    def __init__(
        self,
        name: str | None = None,
        task: str | None = None,
        last_run_at: datetime | None = None,
        total_run_count: int | None = None,
        schedule: Any = None,
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        relative: bool = False,
        app: Any = None,
        missed: str = ONCE,
        deadline: float | None = None,
        jitter: float = 0.0,
        enabled: bool = True,
        run_at_start: bool = False,
    ) -> None:
        self.app = app
        self.name = name or ""
        self.task = task or ""
        self.args = () if args is None else args
        self.kwargs = dict(kwargs or {})
        self.options = dict(options or {})
        self.relative = relative
        self.schedule = maybe_schedule(schedule, relative, app=app)
        self.last_run_at: datetime = last_run_at or self.default_now()
        self.total_run_count = total_run_count or 0
        self.missed = missed
        self.deadline = deadline
        self.jitter = jitter
        self.enabled = enabled
        self.run_at_start = run_at_start

    @classmethod
    def of(cls, name: str, given: Any, app: Any) -> Self:
        """The entry of ``beat_schedule`` under that name.  Raises `ImproperlyConfigured`, naming it."""
        if isinstance(given, cls):
            return given
        if not isinstance(given, Mapping):
            raise ImproperlyConfigured(f"the entry {name!r} of beat_schedule must be a map, not {given!r}")
        fields = dict(given)
        fields.pop("name", None)
        if unknown := sorted(set(fields) - set(FIELDS)):
            raise ImproperlyConfigured(
                f"the entry {name!r} of beat_schedule has no field {unknown[0]!r}; it has {', '.join(FIELDS)}"
            )
        if not fields.get("task") or fields.get("schedule") is None:
            raise ImproperlyConfigured(f"the entry {name!r} of beat_schedule needs a task and a schedule")
        if fields.get("missed", ONCE) not in POLICIES:
            raise ImproperlyConfigured(
                f"the entry {name!r} of beat_schedule: missed is one of {', '.join(POLICIES)}, not {fields['missed']!r}"
            )
        if isinstance(fields.get("args"), str | bytes):  # a tuple of one without its comma
            raise ImproperlyConfigured(f"the entry {name!r} of beat_schedule: args is a list, not {fields['args']!r}")
        for field in ("deadline", "jitter"):
            if not _are_seconds(fields.get(field)):
                raise ImproperlyConfigured(
                    f"the entry {name!r} of beat_schedule: {field} is a number of seconds, not {fields[field]!r}"
                )
        try:
            return cls(name, app=app, **fields)
        except (TypeError, ValueError) as error:
            raise ImproperlyConfigured(f"the entry {name!r} of beat_schedule: {error}") from error

    def default_now(self) -> datetime:
        """The present moment on the clock of the schedule."""
        moment: datetime = self.schedule.now() if hasattr(self.schedule, "now") else wall.now()
        return moment

    _default_now = default_now

    def is_due(self) -> Any:
        """Whether it is due, and the seconds until it is looked at again, as its schedule says."""
        return self.schedule.is_due(self.last_run_at)

    def next(self, last_run_at: datetime | None = None) -> Self:
        """The same entry after a run."""
        following = self.__class__.__new__(self.__class__)
        following.__dict__.update(self.__dict__)
        following.last_run_at = last_run_at or self.default_now()
        following.total_run_count = self.total_run_count + 1
        return following

    __next__ = _next_instance = next

    def update(self, other: ScheduleEntry) -> None:
        """Take over all that can be edited; when it ran last stays."""
        for field in (*FIELDS, "app"):
            setattr(self, field, getattr(other, field))

    def editable_fields_equal(self, other: ScheduleEntry) -> bool:
        """Whether both send the same at the same times."""
        return all(getattr(self, field) == getattr(other, field) for field in FIELDS)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(vars(self).items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScheduleEntry) and self.name == other.name and self.editable_fields_equal(other)

    __hash__ = None  # type: ignore[assignment]  # it can be edited

    def __lt__(self, other: object) -> bool:
        return id(self) < id(other)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name} {self.task}(*{self.args!r}, **{self.kwargs!r}) {self.schedule!r}>"


class Look(NamedTuple):
    """What a look at an entry has found, at `now` on the clock of its schedule.

    `runs` are the moments for which it is to be sent, None where it is not due; `seconds` are those until it is looked
    at again, None for never.
    """

    runs: list[datetime] | None
    seconds: float | None
    now: datetime


class event_t(NamedTuple):  # noqa: N801  # Celery's name
    """When (seconds since the epoch) an entry is looked at next; `priority` keeps the order of equals."""

    time: float
    priority: int
    entry: ScheduleEntry


def _are_seconds(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def evaluated(value: Any) -> Any:
    """Arguments with each `BeatLazyFunc` replaced by what it gives now."""
    if isinstance(value, BeatLazyFunc):
        return value()
    if isinstance(value, Mapping):
        return {key: evaluated(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [evaluated(each) for each in value]
    return value
