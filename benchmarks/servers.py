"""Servers of our own: nobody else's data is ever near."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psutil

#: How long a server may take to answer for the first time, in seconds.
START_SECONDS = 120


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Server:
    """In use as a context: a server on a free port of the loopback, ended with the context."""

    #: The program that must be installed.
    program: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()

    @classmethod
    def available(cls) -> bool:
        return shutil.which(cls.program) is not None

    @property
    def url(self) -> str:
        raise NotImplementedError

    def start(self) -> psutil.Popen:
        raise NotImplementedError

    def flush(self) -> None:
        """Forget everything; OSError if the server is not there."""
        raise NotImplementedError

    def __enter__(self) -> Server:
        self.process = self.start()
        deadline = time.monotonic() + START_SECONDS
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
            self.process.wait(timeout=20)
        except psutil.TimeoutExpired:
            self.process.kill()

    def cpu(self) -> float:
        """Seconds of user and system time so far, of the server and what it started."""
        total = 0.0
        for process in (self.process, *self.process.children(recursive=True)):
            times = process.cpu_times()
            total += times.user + times.system
        return total


class Redis(Server):
    """Without persistence."""

    program = "redis-server"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> psutil.Popen:
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        with (self.directory / "redis.log").open("wb") as log:
            return psutil.Popen(["redis-server", *options, "--dir", str(self.directory)], stdout=log)

    def flush(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            if not connection.recv(64).startswith(b"+OK"):
                raise OSError("the Redis server did not obey")


class RabbitMQ(Server):
    """A node of its own, whose data is under the directory."""

    program = "rabbitmq-server"

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> psutil.Popen:
        home = self.directory / "rabbitmq"
        home.mkdir()
        (home / "plugins").write_text("[].\n")
        (home / "node.conf").write_text(f"listeners.tcp.default = 127.0.0.1:{self.port}\n")
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(home / "node.conf"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_NODENAME": f"bench{self.port}@localhost",
        }
        self.command = str(self._scripts() / "rabbitmqctl")
        with (self.directory / "rabbitmq.log").open("wb") as log:
            return psutil.Popen(
                [str(self._scripts() / "rabbitmq-server")], stdout=log, stderr=log, env=self.environment, cwd=home
            )

    def _scripts(self) -> Path:
        """The server's own scripts: what stands in the path of a Debian system changes user and home first."""
        debian = Path("/usr/lib/rabbitmq/bin")
        return debian if debian.is_dir() else Path(shutil.which(self.program) or "").parent

    def flush(self) -> None:
        # A node answers before it has started, and what it is told then may keep it from starting.
        socket.create_connection(("127.0.0.1", self.port), timeout=10).close()
        deleting = '[rabbit_amqqueue:delete(Q, false, false, <<"bench">>) || Q <- rabbit_amqqueue:list()].'
        command = [self.command, "--node", self.environment["RABBITMQ_NODENAME"], "eval", deleting]
        try:
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, timeout=15, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise OSError("the RabbitMQ server did not answer") from error
        if done.returncode:
            raise OSError(f"the RabbitMQ server did not obey: {done.stderr[-500:]}")


#: By the word for it in a case.
KINDS: dict[str, type[Server]] = {"amqp": RabbitMQ, "redis": Redis}
