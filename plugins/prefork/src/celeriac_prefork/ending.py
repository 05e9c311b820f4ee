"""What became of the jobs of a child that has died."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Report
from celeriac.pools import process
from celeriac_prefork.board import NOTHING

if TYPE_CHECKING:
    from celeriac_prefork.child import Child


def reports_of_lost(child: Child, numbers: Sequence[int], code: int) -> list[Report]:
    """The reports of jobs that a dead child began and did not report.

    Suspected of its death is the one that ran.  Where none did, it died while it stored what had ended: of that, if
    it was one, and of nobody knows which, if they were several.
    """
    running, since = child.board.read()
    suspect = numbers[0] if running == NOTHING and len(numbers) == 1 else running
    reports = []
    for number in numbers:
        if child.kill is not None and child.is_killed and number == child.kill.number:
            reports.append(Report(number, child.kill.kind, monotonic() - since, child.kill.detail))
            continue
        what = "while it ran the task" if number == running else "before it reported the task's end"
        detail = f"the child process {child.pid} ended with {process.describe_exit(code)} {what}"
        reports.append(Report(number, OutcomeKind.WORKER_LOST, None, detail, is_suspect=number == suspect))
    return reports
