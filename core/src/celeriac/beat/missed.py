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
    if deadline is not None:
        since = max(since, now - timedelta(seconds=deadline, microseconds=1))
    if policy == ALL:
        begin = since if since is last_run_at else _before(schedule, last_run_at, since)
        found = [run for run in _runs(schedule, begin, now) if run > since]
        return found[-_MOST:]
    latest = latest_run(schedule, last_run_at, now)
    return [] if latest is None or latest <= since else [latest]


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
