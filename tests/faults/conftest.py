"""A load of tasks that keep a journal, workers to run them, and the means to kill those at random moments."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from celeriac import Celery
from celeriac.exceptions import WorkerLostError

HERE = Path(__file__).parent
#: Read before a test's environment is cleaned. Another seed finds other moments: FAULTS_SEED=7 repeats those of a run.
SEED = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))


@dataclass
class Strain:
    """One queue under load: what was sent, what the tasks wrote down, and the worker that runs them now."""

    app: Celery
    journal: Path
    spawn: Callable[..., Any]
    wait_until: Callable[..., Any]
    chance: random.Random
    pool: str = "prefork"
    late: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    worker: Any = None

    def start_worker(self) -> None:
        command = [sys.executable, "-m", "celeriac", "-A", "journaled", "worker", "-P", self.pool, "-c", "2"]
        self.worker = self.spawn(*command, cwd=HERE)

    def send(self, count: int, longest: float = 0.015) -> None:
        """Send so many tasks, half of them acknowledged late, that take up to `longest` seconds each."""
        for _ in range(count):
            name, ids = self.chance.choice([("late", self.late), ("early", self.early)])
            ids.append(self.app.send_task(f"journaled.{name}", [self.chance.uniform(0, longest)]).id)

    def random_moment(self, most: int) -> None:
        """Let a random number of further tasks begin, up to `most`, and then a little time pass."""
        goal = self.begun() + self.chance.randint(1, most)
        self.wait_until(lambda: self.begun() >= goal, 20, f"{goal} tasks have begun; {self.begun()} have")
        time.sleep(self.chance.uniform(0, 0.03))  # not to wait for anything: a random moment is the point

    def children(self) -> list[int]:
        return [pid for pid in self.worker.session_pids() if pid != self.worker.pid]

    # -- what became of it ---------------------------------------------------------------------------------------------

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.journal.read_text().splitlines()] if self.journal.exists() else []

    def begun(self) -> int:
        return sum(word == "begin" for word, _ in self.lines())

    def runs(self, word: str) -> Counter[str]:
        return Counter(task_id for noted, task_id in self.lines() if noted == word)

    def results(self) -> dict[str, dict[str, Any]]:
        return dict(self.app.backend.fetch([*self.late, *self.early]))

    def wait_for_results(self, timeout: float = 30.0) -> None:
        """Wait until every task has a result."""

        def missing() -> list[str]:
            found = self.results()
            return [task_id for task_id in (*self.late, *self.early) if task_id not in found]

        deadline = time.monotonic() + timeout
        while left := missing():
            if time.monotonic() > deadline:
                pytest.fail(f"{len(left)} tasks have no result after {timeout} s: {self.history(left[:5])}")
            time.sleep(0.05)

    def finish(self) -> dict[str, dict[str, Any]]:
        """Wait until every task has a result, stop the worker, and see that nothing is left in a state between."""
        self.wait_for_results()
        total = len(self.late) + len(self.early)
        self.worker.signal(signal.SIGTERM)
        assert self.worker.wait() == 0
        assert self.worker.session_pids() == []
        assert [worker.pid for worker in self.spawn.started if "Traceback" in worker.output()] == []
        with closing(sqlite3.connect(self.file())) as file:
            in_the_file = {
                table: file.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("message", "ready", "delayed", "claim", "owner", "result")
            }
            told_twice = file.execute("SELECT task_id FROM result GROUP BY 1 HAVING count(*) > 1").fetchall()
        assert told_twice == []
        assert in_the_file == {"message": 0, "ready": 0, "delayed": 0, "claim": 0, "owner": 0, "result": total}
        return self.results()

    def file(self) -> Path:
        return Path(os.environ["CELERIAC_HOME"], "faults.db")

    def history(self, task_ids: list[str]) -> dict[str, Any]:
        """What the journal and the queue know of some tasks, for the report of a failure."""
        known: dict[str, Any] = {}
        with closing(sqlite3.connect(self.file())) as file:
            for task_id in task_ids:
                kind = "late" if task_id in self.late else "early"
                noted = [word for word, of in self.lines() if of == task_id]
                rows = file.execute(
                    "SELECT m.id, r.id, c.owner, c.begun, c.deliveries FROM message m LEFT JOIN ready r ON r.id = m.id"
                    " LEFT JOIN claim c ON c.id = m.id WHERE m.headers LIKE ?",
                    [f"%{task_id}%"],
                ).fetchall()
                known[task_id] = (kind, noted, rows)
        return known

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
        silent = [task_id for task_id in self.early if not ended[task_id] and task_id not in lost]
        assert silent == [], "these succeeded without having run to their end"
        return lost

    def cut_short(self) -> set[str]:
        """The tasks that began more often than they ended: those that a signal hit."""
        begun, ended = self.runs("begin"), self.runs("end")
        return {task_id for task_id in begun if begun[task_id] > ended[task_id]}


@pytest.fixture
def strain(request, tmp_path, monkeypatch, spawn, wait_until) -> Iterator[Strain]:
    """Return a queue of this test's own, with no worker yet; its random choices follow from the printed seed."""
    print(f"FAULTS_SEED={SEED}")
    journal = tmp_path / "journal"
    monkeypatch.setenv("FAULTS_JOURNAL", str(journal))
    # A string seeds the same in every process, which the hash of one would not.
    chance = random.Random(f"{SEED} {request.node.name}")
    with Celery("faults") as app:
        yield Strain(app, journal, spawn, wait_until, chance)
