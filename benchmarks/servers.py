"""A Redis server of our own: nobody else's data is ever near."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import psutil


def available() -> bool:
    return shutil.which("redis-server") is not None


class Redis:
    """In use as a context: a server on a free port of the loopback, without persistence."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Redis:
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        with (self.directory / "redis.log").open("wb") as log:
            self.process = psutil.Popen(["redis-server", *options, "--dir", str(self.directory)], stdout=log)
        deadline = time.monotonic() + 10
        while True:
            try:
                self.flush()
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def flush(self) -> None:
        """Forget everything."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            if not connection.recv(64).startswith(b"+OK"):
                raise OSError("the Redis server did not obey")

    def cpu(self) -> float:
        """Seconds of user and system time so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)
