"""A live view of the cluster, for a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TextIO

from celeriac.events.dumper import printable
from celeriac.events.snapshot import Polaroid

if TYPE_CHECKING:
    from celeriac.events.state import State
    from celeriac.events.task import Task
    from celeriac.events.worker import Worker

__all__ = ["Screen", "render"]

#: To the top left, and everything from there on erased.
_CLEAR: Final = "\x1b[H\x1b[J"
_WORKERS: Final = (("WORKER", 32), ("STATUS", 8), ("ACTIVE", 7), ("DONE", 10), ("LOAD", 18), ("HEARD", 8))
_TASKS: Final = (("TIME", 9), ("STATE", 9), ("TASK", 30), ("WORKER", 24), ("RUNTIME", 9), ("RESULT", 40))
#: Lines that are no rows of a table.
_FRAME: Final = 6


class Screen(Polaroid):
    """A camera whose pictures are shown: the workers, and the tasks of which was heard last."""

    out: TextIO = sys.stdout

    def on_shutter(self, state: State) -> None:
        """Draw the whole terminal anew."""
        width, height = shutil.get_terminal_size()
        print(_CLEAR + render(state, width, height), end="", file=self.out, flush=True)


def render(state: State, width: int = 80, height: int = 24) -> str:
    """The state as text of at most so many lines and columns."""
    workers = sorted(state.workers.data.values(), key=lambda worker: str(worker.hostname))
    shown = workers[: max(1, (height - _FRAME) // 2)]
    lines = [_heading(state, workers), "", *_table(_WORKERS, map(_worker_row, shown))]
    if len(shown) < len(workers):
        lines.append(f"... and {len(workers) - len(shown)} more workers")
    lines.append("")
    room = max(0, height - len(lines) - 2)
    latest = [task for _, task in islice(state.tasks_by_time(limit=room or 1), room)]
    lines += _table(_TASKS, map(_task_row, latest))
    return "\n".join(printable(line)[:width] for line in lines[: height - 1]) + "\n"


def _heading(state: State, workers: Sequence[Worker]) -> str:
    alive = sum(worker.alive for worker in workers)
    counts = Counter(task.state for _, task in state.itertasks())
    told = ", ".join(f"{count} {name.lower()}" for name, count in sorted(counts.items()))
    return f"{alive} of {len(workers)} workers alive; {state.event_count} events; tasks: {told or 'none yet'}"


def _table(columns: Sequence[tuple[str, int]], rows: Iterable[Sequence[Any]]) -> list[str]:
    titles = [title for title, _ in columns]
    return [
        " ".join(
            str("" if cell is None else cell)[:width].ljust(width)
            for cell, (_, width) in zip(row, columns, strict=True)
        )
        for row in (titles, *rows)
    ]


def _worker_row(worker: Worker) -> tuple[Any, ...]:
    load = " ".join(f"{part:.2f}" for part in worker.loadavg or () if isinstance(part, (int, float)))
    heard = f"{max(0.0, time.time() - worker.heartbeats[-1]):.0f} s ago" if worker.heartbeats else ""
    return worker.hostname, worker.status_string, worker.active, worker.processed, load, heard


def _task_row(task: Task) -> tuple[Any, ...]:
    moment = time.strftime("%H:%M:%S", time.localtime(task.timestamp)) if task.timestamp else ""
    worker = task.worker.hostname if task.worker is not None else task.client
    runtime = f"{task.runtime:.3f} s" if isinstance(task.runtime, (int, float)) else ""
    return moment, task.state, task.name or task.uuid, worker, runtime, task.exception or task.result
