"""What the live view of the cluster shows, as text: the tables, and the pages about one task."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from celeriac.events.dumper import printable

if TYPE_CHECKING:
    from celeriac.events.state import State
    from celeriac.events.task import Task
    from celeriac.events.worker import Worker

#: Pages that take the place of the tables.
INFO: Final = "info"
TRACEBACK: Final = "traceback"
RESULT: Final = "result"
KEYS: Final = "keys"

#: What the keys do, for the page and for the last line.
HELP: Final = (
    ("q", "quit"),
    ("?", "keys"),
    ("j k", "choose a task, or scroll; the arrows too"),
    ("i", "info"),
    ("t", "traceback"),
    ("r", "result"),
    ("c", "revoke"),
    ("l", "rate limit"),
    ("f", "find"),
    ("esc", "back to the latest"),
)
_WORKERS: Final = (("WORKER", 32), ("STATUS", 8), ("ACTIVE", 7), ("DONE", 10), ("LOAD", 18), ("HEARD", 8))
_TASKS: Final = (("TIME", 9), ("STATE", 9), ("TASK", 30), ("WORKER", 24), ("RUNTIME", 9), ("RESULT", 40))
#: Lines that are no rows of a table.
_FRAME: Final = 7
#: So many tasks can be gone through with the keys.
MOST: Final = 1000

_RESET: Final = "\x1b[0m"
_BOLD: Final = "\x1b[1m"
_REVERSE: Final = "\x1b[7m"
_COLOURS: Final = {
    "SUCCESS": "\x1b[32m",
    "ONLINE": "\x1b[32m",
    "FAILURE": "\x1b[31m",
    "OFFLINE": "\x1b[31m",
    "REJECTED": "\x1b[31m",
    "RETRY": "\x1b[33m",
    "REVOKED": "\x1b[33m",
    "STARTED": "\x1b[36m",
}


@dataclass(slots=True)
class View:
    """What is looked at: `chosen` is the id of a task, `page` what is shown of it in place of the tables."""

    chosen: str | None = None
    page: str | None = None
    #: The first line that is shown of the page.
    top: int = 0
    #: Only tasks that have this in their name, id, state or worker.
    wanted: str = ""
    #: What is asked or was done, in the place of the help.
    notice: str = ""
    has_keys: bool = False
    has_colour: bool = False


def render(state: State, view: View, width: int = 80, height: int = 24) -> str:
    """The state as text of at most so many lines and columns."""
    last = view.notice or (_help(view) if view.has_keys else "")
    room = max(1, height - 1)  # the cursor stands in the last line
    content = _tables if view.page is None else _page
    lines = content(state, view, width, room - 1)[: room - 1]
    lines += [""] * (room - 1 - len(lines)) if last else []
    return "\n".join([*lines, _fitted(last, width)] if last else lines) + "\n"


def tasks_shown(state: State, view: View) -> list[Task]:
    """The tasks that can be chosen, the latest first."""
    wanted = view.wanted.lower()
    found = (task for _, task in state.tasks_by_time() if not wanted or wanted in _text_of(task).lower())
    return list(islice(found, MOST))


def _text_of(task: Task) -> str:
    worker = task.worker.hostname if task.worker is not None else ""
    return f"{task.name} {task.uuid} {task.state} {worker}"


def _help(view: View) -> str:
    keys = dict(HELP)
    if view.page is not None:
        keys = {"q": keys.pop("q"), "esc": "back", **keys} | {"esc": "back", "j k": "scroll"}
    return "  ".join(f"{key} {what.partition(',')[0].partition(' a ')[0]}" for key, what in keys.items())


# -- the tables --------------------------------------------------------------------------------------------------------


def _tables(state: State, view: View, width: int, height: int) -> list[str]:
    workers = sorted(state.workers.data.values(), key=lambda worker: str(worker.hostname))
    shown = workers[: max(1, (height - _FRAME) // 2)]
    lines = [_bold(_fitted(_heading(state, workers), width), view), ""]
    lines += [_line(row, _WORKERS, width, view) for row in (_titles(_WORKERS), *map(_worker_row, shown))]
    if len(shown) < len(workers):
        lines.append(_fitted(f"... and {len(workers) - len(shown)} more workers", width))
    lines += ["", _line(_titles(_TASKS), _TASKS, width, view)]
    room = max(0, height - len(lines))
    tasks = tasks_shown(state, view)
    ids = [task.uuid for task in tasks]
    first = max(0, ids.index(view.chosen) - room + 1) if view.chosen in ids else 0
    for task in tasks[first : first + room]:
        lines.append(_line(_task_row(task), _TASKS, width, view, is_chosen=task.uuid == view.chosen))
    if not tasks:
        lines.append(_fitted(_why_none(state, view), width))
    return lines


def _why_none(state: State, view: View) -> str:
    if view.wanted:
        return f"no task has {view.wanted!r} in its name, id, state or worker"
    if not state.workers.data:
        return "no worker has been heard of yet"
    return "no task has been heard of yet: workers tell with -E, or after `celeriac control enable_events`"


def _heading(state: State, workers: Sequence[Worker]) -> str:
    alive = sum(worker.alive for worker in workers)
    counts = Counter(task.state for _, task in state.itertasks())
    told = ", ".join(f"{count} {name.lower()}" for name, count in sorted(counts.items()))
    return f"{alive} of {len(workers)} workers alive; {state.event_count} events; tasks: {told or 'none yet'}"


def _titles(columns: Sequence[tuple[str, int]]) -> list[str]:
    return [title for title, _ in columns]


def _line(
    row: Sequence[Any], columns: Sequence[tuple[str, int]], width: int, view: View, is_chosen: bool = False
) -> str:
    cells = [
        printable(str("" if cell is None else cell))[:size].ljust(size)
        for cell, (_, size) in zip(row, columns, strict=True)
    ]
    text = _fitted(" ".join(cells), width)
    if is_chosen:
        return f"{_REVERSE}{text.ljust(width)}{_RESET}"
    colour = _COLOURS.get(str(row[1])) if view.has_colour else None
    begin, end = len(cells[0]) + 1, len(cells[0]) + 1 + len(cells[1])
    if colour is None or len(text) < begin:
        return text
    return f"{text[:begin]}{colour}{text[begin:end]}{_RESET}{text[end:]}"


def _worker_row(worker: Worker) -> tuple[Any, ...]:
    load = " ".join(f"{part:.2f}" for part in worker.loadavg or () if isinstance(part, (int, float)))
    heard = f"{max(0.0, time.time() - worker.heartbeats[-1]):.0f} s ago" if worker.heartbeats else ""
    return worker.hostname, worker.status_string, worker.active, worker.processed, load, heard


def _task_row(task: Task) -> tuple[Any, ...]:
    worker = task.worker.hostname if task.worker is not None else task.client
    return (
        *(_clock(task.timestamp), task.state, task.name or task.uuid, worker, _seconds(task.runtime)),
        task.exception or task.result,
    )


def _clock(moment: Any) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment)) if isinstance(moment, (int, float)) and moment else ""


def _seconds(value: Any) -> str:
    return f"{value:.3f} s" if isinstance(value, (int, float)) else ""


# -- the pages ---------------------------------------------------------------------------------------------------------


def _page(state: State, view: View, width: int, height: int) -> list[str]:
    task = state.tasks.data.get(view.chosen) if view.chosen is not None else None
    if view.page == KEYS:
        title, lines = "Keys", [f"{key:5} {what}" for key, what in HELP]
    elif task is None:
        title, lines = "Task", ["no more is known of it"]
    else:
        title = f"{task.name or '(name not known)'}  {task.uuid}  {task.state}"
        lines = list(_of_page(task, view.page))
    wrapped = [part for line in lines for part in _wrapped(printable(line), width)]
    view.top = max(0, min(view.top, len(wrapped) - (height - 2)))
    return [_bold(_fitted(printable(title), width), view), "", *wrapped[view.top :]]


def _of_page(task: Task, page: str | None) -> Iterable[str]:
    if page == TRACEBACK:
        return str(task.traceback or "no traceback is known of it").splitlines()
    if page == RESULT:
        return str(task.exception or task.result or "no result is known of it").splitlines()
    return _all_of(task)


def _all_of(task: Task) -> Iterable[str]:
    moments = ("sent", "received", "started", "succeeded", "failed", "retried", "revoked", "rejected")
    known: dict[str, Any] = {"worker": task.worker.hostname if task.worker is not None else task.client}
    known.update((name, _clock(getattr(task, name))) for name in moments)
    known["runtime"] = _seconds(task.runtime)
    known.update(
        (name, getattr(task, name, None))
        for name in ("args", "kwargs", "result", "exception", "retries", "eta", "expires", "queue", "exchange")
    )
    known.update((name, getattr(task, name, None)) for name in ("routing_key", "root_id", "parent_id"))
    yield from (f"{name:12} {value}" for name, value in known.items() if value is not None and value != "")
    if task.traceback:
        yield ""
        yield from str(task.traceback).splitlines()


def _wrapped(line: str, width: int) -> list[str]:
    return [line[begin : begin + width] for begin in range(0, len(line), width)] or [""]


def _fitted(line: str, width: int) -> str:
    return line[:width]


def _bold(line: str, view: View) -> str:
    return f"{_BOLD}{line}{_RESET}" if view.has_colour else line
