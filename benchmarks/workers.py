"""A case's worker: the processes it consists of, what they use, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from cases import Case

HERE = Path(__file__).parent


def environment(case: Case, urls: dict[str, str], results: bool, slots: Path) -> dict[str, str]:
    """What the producer and the worker of a case find in theirs; `urls` by variable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CELERIAC_"))}
    told = {"BENCH_SLOTS": str(slots), **urls, "BENCH_RESULTS": str(int(results))}
    options = {f"BENCH_OPTION_{name.upper()}": str(value) for name, value in case.options.items()}
    return {**kept, **told, **options, "PYTHONPATH": str(HERE), "PYTHONWARNINGS": "ignore", "C_FORCE_ROOT": "1"}


class Worker:
    """Runs while the context lasts; `hard` ends it by SIGKILL, where there is nothing to be gentle about."""

    def __init__(self, argv: list[str], env: dict[str, str], log: Path, *, hard: bool = False) -> None:
        self.argv, self.env, self.log, self.hard = argv, env, log, hard

    def __enter__(self) -> Worker:
        with self.log.open("ab") as log:
            self.spawned = time.monotonic_ns()
            self.process = psutil.Popen(
                self.argv, cwd=HERE, env=self.env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        return self

    def tree(self) -> Iterator[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            yield from [self.process, *self.process.children(recursive=True)]

    def processes(self) -> int:
        return len(list(self.tree()))

    def cpu(self) -> float:
        """Seconds of user and system time of the whole tree so far."""
        total = 0.0
        for process in self.tree():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def pss_mib(self) -> float:
        """Memory of the whole tree, with what is shared counted once."""
        total = 0
        for process in self.tree():
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024

    def __exit__(self, *_: object) -> None:
        family = list(self.tree())
        if not self.hard:
            with suppress(psutil.NoSuchProcess):
                self.process.send_signal(signal.SIGTERM)
            _, family = psutil.wait_procs(family, timeout=5)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=5)
