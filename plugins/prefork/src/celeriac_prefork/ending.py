"""The end of children: what became of their jobs, and seeing them out."""

from __future__ import annotations

import math
import select
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Final

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Report
from celeriac.pools import process
from celeriac_prefork.board import NOTHING

if TYPE_CHECKING:
    from celeriac_prefork.child import Child

_POLL_SECONDS: Final = 0.005


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


def see_out(children: Sequence[Child], timeout: float) -> list[Child]:
    """Wait until the processes have ended by themselves, reading what they still say so that none waits for us.

    Returns those that still run after `timeout` seconds.
    """
    deadline = monotonic() + timeout
    left = list(children)
    while left:
        left = [child for child in left if process.reap(child.pid, block=False) is None]
        remaining = deadline - monotonic()
        if not left or remaining <= 0:
            break
        _wait_for_any(left, remaining)
    return left


def end_at_once(children: Sequence[Child]) -> None:
    """Kill the processes and wait until they are gone."""
    for child in children:
        process.kill(child.pid)
    for child in children:
        process.reap(child.pid, block=True)


def _wait_for_any(children: Sequence[Child], timeout: float) -> None:
    poller = select.poll()
    talking = {child.fileno(): child for child in children if not child.is_silent}
    for descriptor in talking:
        poller.register(descriptor, select.POLLIN)
    for child in children:
        if child.watch is not None:
            poller.register(child.watch, select.POLLIN)
        else:
            timeout = min(timeout, _POLL_SECONDS)
    for descriptor, _ in poller.poll(math.ceil(timeout * 1000)):
        if (speaker := talking.get(descriptor)) is not None:
            speaker.is_silent = not speaker.read()[1]
