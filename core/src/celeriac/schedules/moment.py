"""Once, at a given moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any

from celeriac.schedules.base import ComputedSchedule, schedstate


class once(ComputedSchedule):  # noqa: N801  # in line with schedule and crontab
    """Runs one time, at `at`: an aware moment, a naive one in the zone of the schedule, or ISO 8601 text of either."""

    def __init__(
        self,
        at: datetime | str,
        nowfun: Callable[[], datetime] | None = None,
        app: Any = None,
        tz: str | tzinfo | None = None,
    ) -> None:
        super().__init__(nowfun, app, tz)
        self._at = datetime.fromisoformat(at) if isinstance(at, str) else at
        if not isinstance(self._at, datetime):
            raise TypeError(f"once takes a datetime or ISO 8601 text, not {at!r}")

    @property
    def at(self) -> datetime:
        """The moment, aware."""
        return self.maybe_make_aware(self._at, naive_as_utc=False)

    @property
    def clocked_time(self) -> datetime:
        """The moment, by the name that django-celery-beat has for it."""
        return self.at

    def next_after(self, moment: datetime) -> datetime | None:
        at = self.at.astimezone(UTC)
        return at if at > moment.astimezone(UTC) else None

    def is_due(self, last_run_at: datetime) -> schedstate:
        left = self.remaining_estimate(last_run_at)
        if left is None:
            return schedstate(False, None)
        seconds = left.total_seconds()
        return schedstate(True, None) if seconds <= 0 else schedstate(False, seconds)

    def to_dict(self) -> dict[str, Any]:
        return {"type": "once", "at": self._at.isoformat(), **self._zone_entry()}

    def __repr__(self) -> str:
        return f"<once: {self._at.isoformat()}>"

    def __reduce__(self) -> Any:
        return type(self), (self._at, self.nowfun, None, self._tz)

    def _identity(self) -> Any:
        return self._at, self._tz


#: django-celery-beat's name.
clocked = once
