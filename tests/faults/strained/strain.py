"""A load of tasks that keep a journal, workers to run them, and the means to kill those at random moments."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from celeriac import Celery
from celeriac.exceptions import WorkerLostError
from celeriac.worker.begun.directory import journal_directory
from strained.places import Place

#: Where the app under load is.
HERE: Final = Path(__file__).parent.parent
#: Children of each worker.
CONCURRENCY: Final = 2


@dataclass
class Strain:
    """One queue under load: what was sent, what the tasks wrote down, and the worker that runs them now."""

    app: Celery
    place: Place
    journal: Path
    spawn: Callable[..., Any]
    wait_until: Callable[..., Any]
    chance: random.Random
    pool: str = "prefork"
    late: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    #: All that were started, and the one that runs now.
    workers: list[Any] = field(default_factory=list)
    worker: Any = None
    #: Of the workers that are started from now on, beside those of the place.
    settings: dict[str, Any] = field(default_factory=dict)
    concurrency: int = CONCURRENCY
    _read: int = 0
    _lines: list[list[str]] = field(default_factory=list)

    def start_worker(self, *options: str) -> Any:
        """Start one more worker; returns it, and remembers it as the one that runs now."""
        command = [sys.executable, "-m", "celeriac", "-A", "journaled", "worker", "-P", self.pool, *options]
        env = {"FAULTS_SETTINGS": json.dumps({**self.place.settings, **self.settings})}
        name = f"faults-{uuid4().hex}"
        self.worker = self.spawn(*command, "-c", str(self.concurrency), "-n", name, cwd=HERE, env=env)
        self.workers.append(self.worker)
        return self.worker

    def ready_worker(self, *options: str) -> Any:
        """As `start_worker`; the worker claims by now."""
        worker = self.start_worker("-l", "INFO", *options)
        worker.wait_for_output("ready.")
        return worker

    def send_late(self, seconds: float, **options: Any) -> str:
        """Send one task that is acknowledged late; returns its id."""
        self.late.append(self.app.send_task("journaled.late", [seconds], **options).id)
        return self.late[-1]

    def send_early(self, seconds: float, **options: Any) -> str:
        """Send one task that is acknowledged before it runs; returns its id."""
        self.early.append(self.app.send_task("journaled.early", [seconds], **options).id)
        return self.early[-1]

    def hold(self, kind: str = "late") -> Path:
        """Send a task of that kind that runs until the file exists that is returned."""
        until = self.journal.with_name(f"until-{uuid4().hex}")
        ids = self.late if kind == "late" else self.early
        ids.append(self.app.send_task(f"journaled.held_{kind}", [str(until)]).id)
        return until

    def send(self, count: int, longest: float = 0.015) -> None:
        """Send so many tasks, half of them acknowledged late, that take up to `longest` seconds each."""
        for _ in range(count):
            name, ids = self.chance.choice([("late", self.late), ("early", self.early)])
            ids.append(self.app.send_task(f"journaled.{name}", [self.chance.uniform(0, longest)]).id)

    def random_moment(self, most: int) -> None:
        """Let a random number of further tasks begin, up to `most` or all, and then a little time pass."""
        goal = min(self.begun() + self.chance.randint(1, most), len(self.late) + len(self.early))
        self.wait_until(lambda: self.begun() >= goal, 60, f"{goal} tasks have begun")
        time.sleep(self.chance.uniform(0, 0.03))  # not to wait for anything: a random moment is the point

    def children(self) -> list[int]:
        return [pid for pid in self.worker.session_pids() if pid != self.worker.pid]

    # -- what became of it ---------------------------------------------------------------------------------------------

    def lines(self) -> list[list[str]]:
        if self.journal.exists():
            with self.journal.open("rb") as file:
                file.seek(self._read)
                whole, newline, _ = file.read().rpartition(b"\n")
            self._read += len(whole) + len(newline)
            self._lines += [line.split() for line in whole.decode().splitlines()]
        return self._lines

    def begun(self) -> int:
        return sum(word == "begin" for word, _ in self.lines())

    def runs(self, word: str) -> Counter[str]:
        return Counter(task_id for noted, task_id in self.lines() if noted == word)

    def results(self) -> dict[str, dict[str, Any]]:
        return dict(self.app.backend.fetch([*self.late, *self.early]))

    def wait_for_results(self, timeout: float = 40.0, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until every task has a result; no new one for so long is too long."""
        late, early = set(self.late), set(self.early)
        deadline = time.monotonic() + timeout
        while late or early:
            found = self.app.backend.fetch([*late, *early])
            late -= found.keys()
            early -= found.keys()
            if found:
                deadline = time.monotonic() + timeout
            if time.monotonic() > deadline:
                left = [*late, *early]
                pytest.fail(f"{len(left)} tasks have no result after {timeout} s: {self.history(left[:5])}")
            meanwhile()
            time.sleep(0.05)

    def finish(self) -> dict[str, dict[str, Any]]:
        """Wait until every task has a result, stop the worker, and see that nothing is left in a state between."""
        self.wait_for_results()
        # Where a worker died after a result was stored and before its message was acked, that message comes once more.
        self.wait_until(lambda: not self.unsettled(), 60, "no message is left with the broker")
        self.wait_until(lambda: len(self.journals()) <= 1, message="those of the dead are looked at")
        self.worker.signal(signal.SIGTERM)
        assert self.worker.wait() == 0
        assert self.worker.session_pids() == []
        leftovers = self.place.leftovers()
        assert leftovers == dict.fromkeys(leftovers, 0)
        found = self.results()
        silent = [task_id for task_id in (*self.late, *self.early) if task_id not in found]
        assert silent == [], self.history(silent)
        assert self.journals() == []
        self.tell(found)
        return found

    def journals(self) -> list[str]:
        """The files in which workers still note what has begun, or in which nobody could read that."""
        return os.listdir(directory) if (directory := journal_directory(None)).is_dir() else []

    def unsettled(self) -> dict[str, int]:
        """What is left with the broker while a worker runs, less the worker itself."""
        return {what: count for what, count in self.place.leftovers().items() if count and what != "owner"}

    def tell(self, found: dict[str, dict[str, Any]]) -> None:
        """Print what became of all tasks."""
        begun = self.runs("begin")
        states = Counter(meta["status"] for meta in found.values())
        twice = sum(begun[task_id] > 1 for task_id in self.late)
        print(
            f"{len(self.late)} tasks acked late, {twice} of them run again; {len(self.early)} acked early;"
            f" {dict(states)}"
        )

    def assert_nothing_was_raised(self) -> None:
        """No worker has printed a traceback: each error was foreseen."""
        assert [worker.pid for worker in self.spawn.started if "Traceback" in worker.output()] == []

    def history(self, task_ids: list[str]) -> dict[str, Any]:
        """What the journal knows of some tasks, for the report of a failure."""
        late = set(self.late)
        return {
            task_id: ("late" if task_id in late else "early", [word for word, of in self.lines() if of == task_id])
            for task_id in task_ids
        }

    def assert_late_succeeded(self) -> None:
        found = self.results()
        runs = self.runs("end")
        assert {
            task_id: found[task_id]["status"] for task_id in self.late if found[task_id]["status"] != "SUCCESS"
        } == {}
        assert [task_id for task_id in self.late if runs[task_id] < 1] == []

    def assert_early_ran_at_most_once(self) -> list[str]:
        """Check that each succeeded, or is known to have been lost; returns the lost ones."""
        found, begun, ended = self.results(), self.runs("begin"), self.runs("end")
        assert [task_id for task_id in self.early if begun[task_id] > 1] == []
        lost = [task_id for task_id in self.early if found[task_id]["status"] != "SUCCESS"]
        assert {found[task_id]["result"]["exc_type"] for task_id in lost} <= {WorkerLostError.__name__}
        untrue = set(self.early).difference(lost, ended)
        assert untrue == set(), "these succeeded without having run to their end"
        return lost

    def cut_short(self) -> set[str]:
        """The tasks that began more often than they ended: those that a signal hit."""
        begun, ended = self.runs("begin"), self.runs("end")
        return {task_id for task_id in begun if begun[task_id] > ended[task_id]}
