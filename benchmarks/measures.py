"""What is measured of one case: a drain of its queue, and the life of its worker."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import probe
from workers import HERE, Worker, environment

if TYPE_CHECKING:
    from cases import Case
    from servers import Redis

#: A drain during which nothing happens for so long is over.
STALL_SECONDS = 12.0


@dataclass
class Bench:
    """Where everything is: the peers' environments, a directory for scratch, the Redis server if there is one."""

    venvs: Path
    tmp: Path
    redis: Redis | None
    limit: float = 120.0

    # -- the parts of a case -------------------------------------------------------------------------------------------

    def broker(self, case: Case) -> str:
        if case.broker != "redis":
            return case.broker.replace("{tmp}", str(self.tmp / "files"))
        assert self.redis is not None
        return self.redis.url

    def clean(self) -> None:
        """Empty queues and result stores, those in files and those in Redis."""
        files = self.tmp / "files"
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        if self.redis is not None:
            self.redis.flush()

    def client(self, case: Case, results: bool, operation: str, n: int) -> dict[str, Any]:
        """What the producer measured."""
        python = str(self.venvs / case.peer / "bin" / "python")
        done = subprocess.run(
            [python, "client.py", f"{case.peer}_peer", operation, str(n)],
            cwd=HERE,
            env=environment(case, self.broker(case), results, self.tmp / "slots"),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{case.name} {operation}: {done.stderr[-1500:]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def worker(self, case: Case, results: bool, *, hard: bool = False) -> Worker:
        argv = [str(self.venvs / case.peer / "bin" / case.worker[0]), *case.worker[1:]]
        env = environment(case, self.broker(case), results, self.tmp / "slots")
        return Worker(argv, env, self.tmp / f"{case.name.replace('/', '_')}.log", hard=hard)

    def slots(self) -> probe.Reader:
        return probe.Reader(probe.create(self.tmp / "slots"))

    # -- what is measured ----------------------------------------------------------------------------------------------

    def drain(self, case: Case, results: bool) -> dict[str, Any]:
        """Fill the queue while no worker runs, then see how fast one empties it, and at what cost.

        The rate is that between the first task and the last; CPU is counted from the driver's first sight of a task.
        """
        self.clean()
        sent = self.client(case, results, "enqueue", case.n)
        total = case.n + 10  # the producer's warm-up
        reader = self.slots()
        with self.worker(case, results, hard=True) as worker:
            seen, at_first_sight = self._wait(reader, 1), worker.cpu()
            redis_before = self.redis.cpu() if self.redis else 0.0
            ended = self._wait(reader, total)
            cpu = worker.cpu() - at_first_sight
            redis_cpu = (self.redis.cpu() if self.redis else 0.0) - redis_before
            time.sleep(0.3)  # a task that ran twice would be counted now
            count, first, last = reader.read()
        if ended < 2:
            raise RuntimeError(f"{case.name}: nothing ran; see {worker.log}")
        share = max(ended - seen, 1) / 1e4
        return {
            "rate": (count - 1) / ((last - first) / 1e9),
            "worker_cpu_per_10k": cpu / share,
            "redis_cpu_per_10k": redis_cpu / share,
            "enqueue_rate": case.n / sent["seconds"],
            "lost_or_doubled": count - total,
        }

    def life(self, case: Case, trips: int) -> dict[str, Any]:
        """From its start to the first task; then, in the same worker, its memory, its idling, and round trips."""
        self.clean()
        self.client(case, True, "enqueue", 0)  # leaves the 10 of the warm-up
        reader = self.slots()
        with self.worker(case, True) as worker:
            if not self._wait(reader, 1, 30):
                raise RuntimeError(f"{case.name}: no first task; see {worker.log}")
            start = (reader.read()[1] - worker.spawned) / 1e9
            self.client(case, True, "enqueue", 90)
            self._wait(reader, 110, 20)
            time.sleep(2)
            memory, processes, cpu = worker.pss_mib(), worker.processes(), worker.cpu()
            time.sleep(3)
            idle = (worker.cpu() - cpu) / 3 * 100
            taken = sorted(self.client(case, True, "roundtrip", trips)["ms"])
        return {
            "start_s": start,
            "pss_mib": memory,
            "processes": processes,
            "idle_cpu_pct": idle,
            "p50_ms": statistics.median(taken),
            "p99_ms": taken[int(len(taken) * 0.99)],
        }

    def _wait(self, reader: probe.Reader, target: int, limit: float | None = None) -> int:
        """Poll until so many tasks have run, or no more do; how many it were."""
        begun = moved = time.monotonic()
        seen = 0
        while True:
            count = reader.read()[0]
            now = time.monotonic()
            if count != seen:
                seen, moved = count, now
            stalled = seen and now - moved > STALL_SECONDS
            if count >= target or stalled or now - begun > (limit or self.limit):
                return count
            time.sleep(0.01)
