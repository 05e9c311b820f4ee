"""A RabbitMQ of one's own, which may be stopped, killed, frozen, and told to be short of memory."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from nodes.ports import free_port

#: Debian's `rabbitmq-server` on the PATH changes to a user of its own, which a test's directory is not open to.
_SERVERS: Final = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/local/sbin/rabbitmq-server", "rabbitmq-server")

#: Few threads that wait in sleep, and nothing but the loopback interface.
_ERLANG: Final = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"


#: What `rabbitmqctl set_vm_memory_high_watermark` and `set_disk_free_limit` do, and its contrary.
_ALARMS: Final = {
    "memory": (
        "vm_memory_monitor:set_vm_memory_high_watermark(0.00001)",
        "vm_memory_monitor:set_vm_memory_high_watermark(0.9)",
    ),
    "disk": (
        'rabbit_disk_monitor:set_disk_free_limit("1000000GB")',
        "rabbit_disk_monitor:set_disk_free_limit(1000)",
    ),
}


#: Seconds for which a machine with much else to do may take to start it, or to carry out what it is told.
_PATIENCE: Final = 100

#: What to do where it cannot be started.
MISSING: Final = "needs rabbitmq-server and Erlang's epmd on the PATH; install RabbitMQ"


def server_command() -> str | None:
    """The server's own script, None where that or Erlang's port mapper is not there."""
    found = [path for name in _SERVERS if (path := shutil.which(name))]
    return found[0] if found and shutil.which("epmd") else None


def _wait_until(condition: Callable[[], Any], timeout: float, what: str) -> Any:
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:g} s: {what}")
        time.sleep(0.01)
    return value


class RabbitNode:
    """Told what to do in Erlang, on its standard input: `rabbitmqctl` takes seconds for each word.

    That also ends it with whoever has started it.
    """

    def __init__(
        self,
        home: Path,
        settings: Mapping[str, object] | None = None,
        plugins: str = "",
        erlang: str = _ERLANG,
    ) -> None:
        """`home` is a directory that goes with it; `settings` are lines of rabbitmq.conf, `erlang` options of that.

        Raises `FileNotFoundError` where RabbitMQ is not installed.
        """
        command = server_command()
        if command is None:
            raise FileNotFoundError(MISSING)
        self._command = command
        self._home = home
        self.port, self.tls_port, self._epmd_port, distribution = (free_port() for _ in range(4))
        self._process: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._output = home / "output"
        lines = {"listeners.tcp.1": f"127.0.0.1:{self.port}", **(settings or {})}
        if any(name.startswith("ssl_options") for name in lines):
            lines["listeners.ssl.1"] = f"127.0.0.1:{self.tls_port}"
        (home / "rabbitmq.conf").write_text("".join(f"{name} = {value}\n" for name, value in lines.items()))
        (home / "plugins").write_text(f"[{plugins}].\n")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")},
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"celeriac-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": erlang,
        }

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Returns when it takes connections; where it does not come to that, nothing is left of it."""
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        if self._epmd is None:
            self._epmd = subprocess.Popen(["epmd", "-port", str(self._epmd_port)], env=self._environment)
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [self._command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._home,
                start_new_session=True,
            )
        _wait_until(self._answers, _PATIENCE, "RabbitMQ starts")
        self.tell("rabbit:await_startup()")

    def _check_alive(self) -> None:
        assert self._process is not None, "RabbitMQ is not to run"
        assert self._process.poll() is None, f"RabbitMQ has ended:\n{self._output.read_text(errors='replace')}"

    def _answers(self) -> bool:
        self._check_alive()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    @property
    def pid(self) -> int:
        """Of the server, while it runs."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """As an operator does: told to, it ends when all that it has taken is where it belongs."""
        self.signal(signal.SIGTERM)
        self._ended()

    def kill(self) -> None:
        """As a power failure would, but that the disk has what it was given."""
        self.signal(signal.SIGKILL)
        self._ended()

    def _ended(self) -> None:
        assert self._process is not None
        self._process.wait(60)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process = None

    def revive(self) -> None:
        """Have it run, if the one before has left it in any other state; what is durable stays."""
        try:
            is_well = self._process is not None and self._answers() and self.tell("rabbit:is_running()") == "true"
        except (AssertionError, OSError, TimeoutError):
            is_well = False
        if not is_well:
            if self._process is not None:
                self.kill()
            self.start()

    def signal(self, number: int) -> None:
        """Send a signal to the server and its children."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self._process.pid, number)

    def close(self) -> None:
        """End it, if it runs; what it has kept goes too."""
        if self._process is not None:
            self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    # -- what it is told ----------------------------------------------------------------------------------------------

    def tell(self, expression: str) -> str:
        """The value of an Erlang expression, as Erlang prints it."""
        assert self._process is not None
        assert self._process.stdin is not None
        mark = f"told-{next(self._numbers)}"
        question = f'io:format("~n{mark}:~0p:end-of-{mark}~n", [catch {expression}]).\n'
        self._process.stdin.write(question.encode())
        self._process.stdin.flush()

        def answer() -> str | None:
            self._check_alive()
            printed = self._output.read_text(errors="replace")
            _, begun, rest = printed.rpartition(f"\n{mark}:")
            found, ended, _ = rest.partition(f":end-of-{mark}\n")
            return found if begun and ended else None

        told: str = _wait_until(answer, _PATIENCE, f"RabbitMQ answers {expression}")
        assert "'EXIT'" not in told, f"{expression}: {told}"
        return told

    def restart(self) -> None:
        """All connections end, all that is durable stays; far quicker than with the whole of Erlang."""
        self.tell("rabbit:stop()")
        self.tell("rabbit:start()")

    def alarm(self, resource: str) -> None:
        """Be short of it, as far as publishers can tell: memory or disk."""
        self.tell(_ALARMS[resource][0])

    def calm(self) -> None:
        """Be short of nothing."""
        for _, end in _ALARMS.values():
            self.tell(end)
