"""A census of Python's standard library: one task per file, run by a worker of its own on the embedded queue.

python demo.py            one worker, from start to clean stop
python demo.py --crash    the worker and its children are killed half way, and a second one takes over
python demo.py --files N  only the first N files
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from tasks import app, examine, examine_surely

from celeriac import ResultSet

HERE = Path(__file__).parent
LIBRARY = Path(sysconfig.get_path("stdlib"))
console = Console(highlight=False)


class Worker:
    """``celeriac -A tasks worker``, in a session of its own so that its children can be killed with it."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celeriac", "-A", "tasks", "worker"],
                cwd=HERE,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """End the program, with what the worker printed, if it has died."""
        if (code := self.process.poll()) is not None:
            self.fail(f"the worker ended by itself, with exit code {code}")

    def stop(self) -> None:
        """Ask it to finish, and see that it ends well."""
        self.process.terminate()
        if (code := self.process.wait(timeout=30)) != 0:
            self.fail(f"the worker did not stop cleanly: exit code {code}")

    def kill(self) -> None:
        """SIGKILL to the worker and its children: no chance to say good-bye."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def fail(self, reason: str) -> None:
        sys.exit(f"{reason}; it printed:\n{self.log.read_text(errors='replace')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crash", action="store_true", help="kill the worker half way and start another")
    parser.add_argument("--files", type=int, help="examine only so many files")
    options = parser.parse_args()
    # The embedded queue's own place is the user's data directory; a place of this run's own keeps earlier runs out.
    with tempfile.TemporaryDirectory(prefix="celeriac-census-") as home:
        os.environ["CELERIAC_HOME"] = home
        census(files()[: options.files], options.crash, Path(home, "worker.log"))


def files() -> list[str]:
    """Every .py file of the standard library of the Python that runs this."""
    installed = {"site-packages", "dist-packages"}
    return [str(path) for path in sorted(LIBRARY.rglob("*.py")) if installed.isdisjoint(path.parts)]


def census(paths: list[str], crash: bool, log: Path) -> None:
    console.print(f"[bold]{len(paths):,}[/] files of [bold]{LIBRARY}[/], one task each, embedded queue\n")
    worker, killed_at = Worker(log), None
    ready: set[str] = set()
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )

    def on_result(meta: dict[str, Any]) -> None:
        nonlocal worker, killed_at
        ready.add(meta["task_id"])
        progress.update(examined, completed=len(ready))
        if crash and killed_at is None and len(ready) >= len(paths) // 2:
            worker.kill()
            killed_at = len(ready)
            progress.console.print(f"[red]SIGKILL[/] to the worker and its children after {killed_at:,} results")
            worker = Worker(log)

    def on_interval() -> None:
        worker.check()  # whichever of the two it is now

    try:
        with progress:
            sent = progress.add_task("sent    ", total=len(paths))
            examined = progress.add_task("examined", total=len(paths))
            started = time.perf_counter()
            task = examine_surely if crash else examine
            results = ResultSet([task.delay(path) for path in progress.track(paths, task_id=sent)])
            found = results.get(timeout=600, propagate=False, on_message=on_result, on_interval=on_interval)
            seconds = time.perf_counter() - started
        worker.stop()
    finally:
        worker.kill()
    outcomes = Counter(result.state for result in results)
    if errors := [value for value in found if isinstance(value, BaseException)]:
        sys.exit(f"{outcomes}: {len(errors):,} tasks did not succeed, the first because of {errors[0]!r}")
    console.print()
    console.print(largest(found))
    console.print(summary(found, outcomes, seconds))
    if crash:
        show_that_nothing_was_lost(results, outcomes, killed_at)


def largest(found: list[dict[str, Any]]) -> Table:
    """The ten largest modules, and what all of them come to."""
    table = Table(title="The ten largest modules", title_justify="left", box=box.SIMPLE_HEAD, show_footer=True)
    table.add_column("module", f"all {len(found):,}", overflow="fold")
    for key in ("lines", "classes", "functions", "deepest", "longest"):
        whole = max if key in {"deepest", "longest"} else sum
        table.add_column(key, f"{whole(one[key] for one in found):,}", justify="right")
    for one in sorted(found, key=lambda one: one["lines"], reverse=True)[:10]:
        name = str(Path(one["path"]).relative_to(LIBRARY))
        table.add_row(name, *(f"{one[column.header]:,}" for column in table.columns[1:]))
    longest = max(found, key=lambda one: one["longest"])
    where = Path(longest["path"]).relative_to(LIBRARY)
    table.caption = f"longest: lines of the longest function, at most {longest['longest_name']} in {where}"
    table.caption_justify = "left"
    return table


def summary(found: list[dict[str, Any]], outcomes: Counter[str], seconds: float) -> Table:
    """How the tasks ended and how fast."""
    table = Table.grid(padding=(0, 2))
    table.add_row("outcomes", ", ".join(f"[bold]{count:,}[/] {state}" for state, count in sorted(outcomes.items())))
    if unreadable := sum(one["unreadable"] is not None for one in found):
        table.add_row("", f"{unreadable:,} of these said: cannot be parsed (test data, broken on purpose)")
    table.add_row("speed", f"[bold]{len(found) / seconds:,.0f}[/] tasks/s, {seconds:.1f} s from the first call")
    table.add_row("worker", "stopped with exit code 0")
    return table


def show_that_nothing_was_lost(results: ResultSet, outcomes: Counter[str], killed_at: int | None) -> None:
    """Look into the result store itself: one row per task, and no other."""
    database = app.backend.as_uri().removeprefix("sqlite:///")
    with closing(sqlite3.connect(database)) as store:
        [(rows, tasks)] = store.execute("SELECT count(*), count(DISTINCT task_id) FROM result")
    console.print(
        f"killed    after {killed_at:,} results; {outcomes['SUCCESS']:,} of {len(results):,} tasks succeeded, and the"
        f" store holds {rows:,} results of {tasks:,} tasks"
    )
    if killed_at is None or not len(results) == rows == tasks == len(app.backend.fetch([one.id for one in results])):
        sys.exit("a result is missing, or there is one too many")


if __name__ == "__main__":
    main()
