"""A worker that a benchmark starts, and what its processes use, read from ``/proc``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent


class Tree:
    """In use as a context: a worker of the app `module` in this directory, and all processes below it."""

    def __init__(self, module: str, options: list[str], env: dict[str, str], log: Path) -> None:
        self.log = log
        argv = [sys.executable, "-m", "celeriac", "-A", module, "worker", "-l", "INFO", *options]
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                argv,
                cwd=HERE,
                env={**os.environ, **env, "PYTHONUNBUFFERED": "1"},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self.process.pid

    def __enter__(self) -> Tree:
        deadline = time.monotonic() + 30
        while "ready." not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the worker did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
            self.process.wait()

    def pids(self) -> list[int]:
        """The processes of its session."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                except OSError:  # it has ended
                    continue
                if int(stat.rpartition(")")[2].split()[3]) == self.pid:
                    found.append(int(entry.name))
        return found

    def rss_mib(self) -> float:
        """Resident memory of the main process."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2

    def pss_mib(self) -> float:
        """Memory of all processes, with what is shared counted once."""
        total = 0
        for pid in self.pids():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:  # it has ended
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024

    def cpu(self) -> float:
        """Seconds of CPU that its processes have used so far."""
        ticks = 0
        for pid in self.pids():
            with suppress(OSError):  # it has ended
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def files(self) -> int:
        """Open files of the main process."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))
