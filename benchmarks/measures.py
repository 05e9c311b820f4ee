"""What is measured of one case: a drain of its queue, sending many at once, and the life of its worker."""

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
    from servers import Server

#: A drain during which nothing happens for so long is over.
STALL_SECONDS = 12.0
#: The sizes of chords whose times are compared.
CHORDS = (1_000, 5_000)


@dataclass
class Bench:
    """Where everything is: the peers' environments, a directory for scratch, the servers by name."""

    venvs: Path
    tmp: Path
    servers: dict[str, Server]
    limit: float = 120.0

    # -- the parts of a case -------------------------------------------------------------------------------------------

    def urls(self, case: Case) -> dict[str, str]:
        """What an adapter is told: Celery and Celeriac keep results where their messages are."""
        server = self.servers.get(case.broker)
        broker = server.url if server else case.broker.replace("{tmp}", str(self.tmp / "files"))
        store = "rpc://" if case.broker == "amqp" else broker
        redis = self.servers["redis"].url if "redis" in self.servers else ""
        return {"BENCH_BROKER": broker, "BENCH_STORE": store, "BENCH_REDIS": redis}

    def clean(self, case: Case) -> None:
        """Empty queues and result stores: those in files, in Redis, and in RabbitMQ where the case is there."""
        files = self.tmp / "files"
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        for name, server in self.servers.items():
            if name in {"redis", case.broker}:
                server.flush()

    def server_cpu(self) -> float:
        return sum(server.cpu() for server in self.servers.values())

    def client(self, case: Case, results: bool, operation: str, n: int) -> dict[str, Any]:
        """What the producer measured."""
        python = str(self.venvs / case.peer / "bin" / "python")
        done = subprocess.run(
            [python, "client.py", f"{case.peer}_peer", operation, str(n)],
            cwd=HERE,
            env=environment(case, self.urls(case), results, self.tmp / "slots"),
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
        env = environment(case, self.urls(case), results, self.tmp / "slots")
        return Worker(argv, env, self.tmp / f"{case.name.replace('/', '_')}.log", hard=hard)

    def slots(self) -> probe.Reader:
        return probe.Reader(probe.create(self.tmp / "slots"))

    # -- what is measured ----------------------------------------------------------------------------------------------

    def drain(self, case: Case, results: bool) -> dict[str, Any]:
        """Fill the queue while no worker runs, then see how fast one empties it, and at what cost.

        The rate is that between the first task and the last; CPU is counted from the driver's first sight of a task.
        """
        self.clean(case)
        sent = self.client(case, results, "enqueue", case.n)
        total = case.n + 10  # the producer's warm-up
        reader = self.slots()
        with self.worker(case, results, hard=True) as worker:
            seen, at_first_sight = self._wait(reader, 1), worker.cpu()
            servers_before = self.server_cpu()
            ended = self._wait(reader, total)
            cpu = worker.cpu() - at_first_sight
            server_cpu = self.server_cpu() - servers_before
            time.sleep(0.3)  # a task that ran twice would be counted now
            count, first, last = reader.read()
        if ended < 2:
            raise RuntimeError(f"{case.name}: nothing ran; see {worker.log}")
        share = max(ended - seen, 1) / 1e4
        return {
            "rate": (count - 1) / ((last - first) / 1e9),
            "worker_cpu_per_10k": cpu / share,
            "server_cpu_per_10k": server_cpu / share,
            "enqueue_rate": case.n / sent["seconds"],
            "lost_or_doubled": count - total,
        }

    def life(self, case: Case, trips: int) -> dict[str, Any]:
        """From its start to the first task; then, in the same worker, its memory, its idling, and round trips."""
        self.clean(case)
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

    def bulk(self, case: Case) -> dict[str, Any]:
        """How fast a producer sends groups of 1,000, and then, with a worker, how long chords of two sizes take."""
        self.clean(case)
        found = {"bulk_rate": case.n / self.client(case, False, "bulk", case.n)["seconds"]}
        if case.chord:
            self.clean(case)
            self.slots()
            with self.worker(case, True, hard=True):
                for size in CHORDS:
                    found[f"chord_{size}_s"] = self.client(case, True, "gather", size)["seconds"]
        return found

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
