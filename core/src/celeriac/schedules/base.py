"""What every schedule is: something that knows when a periodic task runs next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class schedstate(NamedTuple):  # noqa: N801  # Celery's name
    """Whether a task is due, and the seconds until it is looked at again (None: never)."""

    is_due: bool
    next: float | None


class BaseSchedule(ABC):
    """The moments at which a periodic task runs.

    `nowfun` gives the present moment in place of the app's clock, `app` the time zone (default: the current app), `tz`
    (a name or a `tzinfo`) a zone of the schedule's own.  Own schedules implement `remaining_estimate`, or override
    `is_due`.
    """

    def __init__(
        self, nowfun: Callable[[], datetime] | None = None, app: Any = None, tz: str | tzinfo | None = None
    ) -> None:
        self.nowfun = nowfun
        self._app = app
        self._tz = zone_of(tz)

    @property
    def app(self) -> Any:
        """The app whose clock and time zone count."""
        if self._app is None:
            import celeriac  # the façade: whoever gives an app does without

            return celeriac.current_app
        return self._app

    @app.setter
    def app(self, app: Any) -> None:
        self._app = app

    @property
    def tz(self) -> tzinfo:
        """The time zone in which the schedule is read."""
        if self._tz is not None:
            return self._tz
        zone: tzinfo = self.app.timezone
        return zone

    @tz.setter
    def tz(self, tz: str | tzinfo | None) -> None:
        self._tz = zone_of(tz)

    @property
    def utc_enabled(self) -> bool:
        """The app's setting ``enable_utc``."""
        return bool(self.app.conf.enable_utc)

    def now(self) -> datetime:
        """The present moment, aware."""
        return self.maybe_make_aware((self.nowfun or self.app.now)())

    def to_local(self, dt: datetime) -> datetime:
        """The moment in the zone of the schedule."""
        return self.maybe_make_aware(dt).astimezone(self.tz)

    def maybe_make_aware(self, dt: datetime, naive_as_utc: bool = True) -> datetime:
        """The moment, aware: a naive one is in UTC, or with `naive_as_utc` false in the zone of the schedule."""
        if dt.tzinfo is not None:
            return dt
        return dt.replace(tzinfo=UTC if naive_as_utc else self.tz)

    @abstractmethod
    def remaining_estimate(self, last_run_at: datetime) -> timedelta | None:
        """The time from now to the run that follows `last_run_at`; not above zero if due, None if none follows."""

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Whether the task is due, and the seconds until it is looked at again (None: never).

        When it is due, these lead to the run after this one.  In `last_run_at` a naive moment is in UTC.
        """
        left = self.remaining_estimate(last_run_at)
        if left is None or (seconds := left.total_seconds()) > 0:
            return schedstate(False, None if left is None else seconds)
        following = self.remaining_estimate(self.now())
        return schedstate(True, None if following is None else max(following.total_seconds(), 0.0))

    def next_after(self, moment: datetime) -> datetime | None:
        """The run that follows a run at `moment`, aware and in UTC; None if none follows."""
        left = self.remaining_estimate(moment)
        return None if left is None else self.now().astimezone(UTC) + left

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseSchedule):
            return NotImplemented
        return type(self) is type(other) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((type(self), self._identity()))

    def _identity(self) -> Any:
        """What makes two schedules of one type equal."""
        return id(self)


class ComputedSchedule(BaseSchedule):
    """A schedule that can tell each run from the one before it, whatever the present moment is."""

    @abstractmethod
    def next_after(self, moment: datetime) -> datetime | None:
        """The run that follows a run at `moment`, aware and in UTC; None if none follows."""

    def remaining_estimate(self, last_run_at: datetime) -> timedelta | None:
        following = self.next_after(self.maybe_make_aware(last_run_at))
        return None if following is None else following - self.now()

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The schedule as JSON has it; `celeriac.schedules.from_dict` reads it."""

    def _zone_entry(self) -> dict[str, Any]:
        return {} if self._tz is None else {"tz": str(self._tz)}


def zone_of(tz: str | tzinfo | None) -> tzinfo | None:
    """The zone of that name.  Raises ValueError for one that is not known here."""
    if not isinstance(tz, str):
        return tz
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"no time zone {tz!r} is known here; where the system has no zone data: pip install tzdata"
        ) from None
