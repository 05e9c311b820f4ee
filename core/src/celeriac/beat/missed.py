"""What is done about runs whose time passed while nobody looked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

#: Policies of an entry: nothing, one run for all of them, each of them.
SKIP: Final = "skip"
ONCE: Final = "once"
ALL: Final = "all"
POLICIES: Final = (SKIP, ONCE, ALL)

#: Seconds that a run may be late where runs that were missed are skipped and no deadline is given.
GRACE: Final = 60.0
#: More runs than that are never made up for: it would take the clock of the machine to be wrong.
_MOST: Final = 1000
_WINDOWS: Final = (timedelta(minutes=2), timedelta(hours=2), timedelta(days=2), timedelta(days=62), timedelta(days=800))


def runs_due(
    schedule: Any, last_run_at: datetime, now: datetime, policy: str = ONCE, deadline: float | None = None
) -> list[datetime]:
    """The moments for which a due task is to be sent now, oldest first, in UTC; empty if all are to be left out.

    A schedule that cannot tell its runs from one another has one, now.
    """
    if not hasattr(schedule, "next_after"):
        return [now]
    if deadline is None and policy == SKIP:
        deadline = GRACE
    since = last_run_at
    if deadline is not None and deadline < (now - last_run_at).total_seconds():
        since = now - timedelta(seconds=deadline, microseconds=1)
    if policy == ALL:
        return _latest_runs(schedule, last_run_at, since, now)
    latest = latest_run(schedule, last_run_at, now)
    return [] if latest is None or latest <= since else [latest]


def _latest_runs(schedule: Any, last_run_at: datetime, since: datetime, now: datetime) -> list[datetime]:
    """The runs after `since` and until now, the last `_MOST` of them: not all are gone through to find these."""
    begin = since if since is last_run_at else _before(schedule, last_run_at, since)
    every = getattr(schedule, "run_every", None)
    if every is not None:
        if not getattr(schedule, "relative", False) and every * _MOST < now - begin:
            begin = _before(schedule, last_run_at, now - every * _MOST)
        return [run for run in _runs(schedule, begin, now) if run > since][-_MOST:]
    for window in _WINDOWS:
        if now - window <= begin:
            break
        found = list(_runs(schedule, now - window, now))
        if len(found) >= _MOST:
            return found[-_MOST:]
    return [run for run in _runs(schedule, begin, now) if run > since][-_MOST:]


def counted_from(schedule: Any, last_run_at: datetime, now: datetime) -> datetime:
    """From when an entry counts that ran at `last_run_at`, which is after `now` where the clock was set back.

    From now, where it would else be left out for a whole period or longer; else from its last run, so that no run comes
    a second time.
    """
    if last_run_at <= now:
        return last_run_at
    try:
        following = schedule.next_after(last_run_at)
    except Exception:  # noqa: BLE001  # a schedule that was written for Celery, or fails, cannot tell
        return now
    if following is None or last_run_at - now < following - last_run_at:
        return last_run_at
    return now


def latest_run(schedule: Any, last_run_at: datetime, now: datetime) -> datetime | None:
    """The last run that was due after `last_run_at` and until now."""
    begin = last_run_at
    every = getattr(schedule, "run_every", None)
    if every is not None:
        begin = _before(schedule, last_run_at, now)
    else:
        for window in _WINDOWS:
            first = schedule.next_after(max(now - window, last_run_at))
            if first is not None and first <= now:
                begin = max(now - window, last_run_at)
                break
    found = None
    for found in _runs(schedule, begin, now):  # noqa: B007  # the last one is what is wanted
        continue
    return found


def _before(schedule: Any, last_run_at: datetime, moment: datetime) -> datetime:
    """A moment from which the runs go on as from the last one, not long before another."""
    every = getattr(schedule, "run_every", None)
    if every is None or every <= timedelta() or moment <= last_run_at or getattr(schedule, "relative", False):
        return last_run_at if every is not None else max(last_run_at, moment - timedelta(microseconds=1))
    runs: int = (moment - last_run_at) // every
    passed: timedelta = every * max(runs - 1, 0)
    return last_run_at + passed


def _runs(schedule: Any, begin: datetime, now: datetime) -> Iterator[datetime]:
    moment = begin
    while (following := schedule.next_after(moment)) is not None and following <= now:
        if following <= moment:  # an interval of nothing: always due
            yield now.astimezone(UTC)
            return
        yield following
        moment = following
