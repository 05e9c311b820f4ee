"""Servers of our own: nobody else's data is ever near."""

from __future__ import annotations

import shutil
import socket
import sys
import time
from pathlib import Path

import psutil

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from nodes.ports import free_port  # of the tests, which have nodes too
from nodes.rabbit import RabbitNode, server_command

#: How long a server may take to answer for the first time, in seconds.
START_SECONDS = 120


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

    def start(self) -> psutil.Process:
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
                if time.monotonic() > deadline or self.process.status() == psutil.STATUS_ZOMBIE:
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

    @classmethod
    def available(cls) -> bool:
        return server_command() is not None

    @property
    def url(self) -> str:
        return self._node.url

    def start(self) -> psutil.Process:
        home = self.directory / "rabbitmq"
        home.mkdir()
        self._node = RabbitNode(home, erlang="")
        self._node.start()
        return psutil.Process(self._node.pid)

    def flush(self) -> None:
        try:
            self._node.tell('[rabbit_amqqueue:delete(Q, false, false, <<"bench">>) || Q <- rabbit_amqqueue:list()]')
        except TimeoutError as error:
            raise OSError("the RabbitMQ server did not answer") from error

    def __exit__(self, *_: object) -> None:
        self._node.close()


#: By the word for it in a case.
KINDS: dict[str, type[Server]] = {"amqp": RabbitMQ, "redis": Redis}
