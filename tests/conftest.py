"""What every test may use: a home of its own, deadlines in place of sleeps, processes that end with it, servers."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import hypothesis
import pytest
from _pytest.logging import LogCaptureHandler

# Two workers of a test run share a core with whatever the machine does besides; hypothesis' own 200 ms
# per example would measure the machine. The limit that counts is pytest's, per test.
hypothesis.settings.register_profile("celeriac", deadline=None, print_blob=True)
hypothesis.settings.load_profile("celeriac")

# Makes the package `nodes` importable; last, since other directories here have names that anybody may use.
sys.path.append(str(Path(__file__).parent))
pytest.register_assert_rewrite("nodes.green")

REQUIRE_SERVICES = "CELERIAC_REQUIRE_SERVICES"

_POLL_SECONDS = 0.005


# --- nothing is left out where everything is there ------------------------------------------------------------------

_EVERYTHING_IS_THERE = os.environ.get(REQUIRE_SERVICES) == "1"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    return _without_skip((yield))


def _without_skip(report: Any) -> Any:
    """A test that is skipped shows nothing, which nobody reads in a run that is green: have it fail."""
    if _EVERYTHING_IS_THERE and report.skipped and not hasattr(report, "wasxfail"):
        _, _, reason = report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason}; {REQUIRE_SERVICES}=1 makes this a failure"
    return report


# --- isolation --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def celeriac_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test, and every process that it starts, a home that no other test and no person shares."""
    for name in list(os.environ):
        if name.startswith(("CELERIAC_", "CELERY_")) and name != REQUIRE_SERVICES:
            monkeypatch.delenv(name)
    # Of a worker that root runs, as some machines run their tests, there is a warning.
    monkeypatch.setenv("C_FORCE_ROOT", "1")
    home = tmp_path / "celeriac-home"
    monkeypatch.setenv("CELERIAC_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave loggers and streams as they were: a test may set up logging as a program does, for the whole process."""
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in ("celeriac", "celeriac.task"))]
    before = [(logger, [*logger.handlers], logger.level, logger.propagate, logger.parent) for logger in loggers]
    yield
    for logger, handlers, level, propagate, parent in before:
        for handler in {*logger.handlers}.difference(handlers):
            if not isinstance(handler, LogCaptureHandler):  # pytest's own come and go with the phases of a test
                handler.close()
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate
        logger.parent = parent


# --- waiting ----------------------------------------------------------------------------------------------------------


def _wait_until(condition: Callable[[], Any], timeout: float = 10.0, message: str = "") -> Any:
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            pytest.fail(f"not within {timeout:g} s: {message or getattr(condition, '__qualname__', repr(condition))}")
        time.sleep(_POLL_SECONDS)


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    """Return ``wait_until(condition, timeout=10.0, message="")``.

    It calls `condition` until that returns something true, and returns it; after `timeout` seconds the test fails
    with `message`, which says what was waited for.
    """
    return _wait_until


# --- processes --------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Spawned:
    """A process started by a test, leader of a session of its own; what it prints goes to a file."""

    argv: Sequence[str]
    process: subprocess.Popen[bytes]
    output_path: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self) -> str:
        """Everything it and its children printed so far, both streams."""
        return self.output_path.read_text(errors="replace")

    def poll(self) -> int | None:
        """The exit code, negative for a signal, or None while it runs."""
        return self.process.poll()

    def signal(self, number: int) -> None:
        """Send a signal to the process alone, not to its children; nothing happens if it has ended."""
        self.process.send_signal(number)

    def wait(self, timeout: float = 20.0) -> int:
        """Wait for its end and return the exit code; the test fails if it still runs after `timeout` seconds."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.argv!r} still runs after {timeout:g} s; it printed:\n{self.output()}")

    def wait_for_output(self, text: str, timeout: float = 20.0) -> str:
        """Wait until it or a child printed `text` and return the output.

        The test fails at once when all of them have ended without.
        """

        def printed_or_ended() -> bool:
            return text in self.output() or (self.poll() is not None and not self.session_pids())

        _wait_until(printed_or_ended, timeout, f"{self.argv!r} prints {text!r}")
        output = self.output()
        if text not in output:
            pytest.fail(f"{self.argv!r} ended with {self.poll()} and never printed {text!r}; it printed:\n{output}")
        return output

    def session_pids(self) -> list[int]:
        """Return the processes of its session that are alive, itself included: what a clean stop leaves empty."""
        alive = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
                continue
            # The name, in brackets, may hold anything; after it: state, parent, group, session.
            state, _, _, session = stat.rpartition(")")[2].split()[:4]
            if int(session) == self.pid and state not in "ZX":
                alive.append(int(entry.name))
        return sorted(alive)

    def kill(self) -> None:
        """SIGKILL to all that is left of its session, then wait for it; harmless when repeated."""
        while pids := self.session_pids():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:  # it ended by itself in the meantime
                    continue
            if self.pid in pids:
                self.process.wait()
        self.process.wait()


@dataclass
class _Spawner:
    directory: Path
    started: list[Spawned] = field(default_factory=list)

    def __call__(
        self, *argv: str | os.PathLike[str], env: Mapping[str, str] | None = None, cwd: str | Path | None = None
    ) -> Spawned:
        arguments = [os.fspath(argument) for argument in argv]
        output_path = self.directory / f"spawned-{len(self.started)}.out"
        with output_path.open("wb") as output:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd or self.directory,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
                start_new_session=True,
            )
        spawned = Spawned(arguments, process, output_path)
        self.started.append(spawned)
        return spawned


_SPAWNER = pytest.StashKey[_Spawner]()


@pytest.fixture
def spawn(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Spawner]:
    """Return ``spawn(*argv, env=None, cwd=None) -> Spawned``.

    `env` is added to the environment of the test; `cwd` is the test's tmp_path unless given. Whatever still runs when
    the test ends is killed with its children; when the test failed, the report shows what each process printed.
    """
    spawner = _Spawner(tmp_path)
    request.node.stash[_SPAWNER] = spawner
    yield spawner
    for spawned in spawner.started:
        spawned.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = _without_skip((yield))
    if report.failed and (spawner := item.stash.get(_SPAWNER, None)):
        for spawned in spawner.started:
            title = f"{' '.join(spawned.argv)} (pid {spawned.pid}, exit code {spawned.poll()})"
            report.sections.append((title, spawned.output()))
    return report


# --- golden files -----------------------------------------------------------------------------------------------------

#: `make golden` writes them anew; what has changed is then for a person to look at.
_WRITES_GOLDEN = os.environ.get("GOLDEN_WRITE") == "1"


@pytest.fixture(scope="session")
def golden() -> Callable[[Path, str], None]:
    """Return ``golden(path, text)``: the text is what the file says."""

    def compare(path: Path, text: str) -> None:
        if _WRITES_GOLDEN:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert text == path.read_text(), f"{path} says something else; if this is meant: make golden"

    return compare


# --- servers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Service:
    """A server that some tests need: where it is, and how to have one."""

    variable: str
    default_url: str
    remedy: str

    def url(self) -> str:
        return os.environ.get(self.variable, self.default_url)

    def why_unreachable(self) -> str | None:
        parts = urlsplit(self.url())
        default = urlsplit(self.default_url)
        address = (parts.hostname or default.hostname, parts.port or default.port)
        try:
            socket.create_connection(address, timeout=2.0).close()
        except OSError as error:
            return f"{address[0]}:{address[1]}: {error}"
        return None


_SERVICES = {
    "mariadb": _Service(
        "MYSQL_URL",
        "mysql://root@127.0.0.1:3306/",
        "docker run --rm -p 127.0.0.1:3306:3306 -e MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1 mariadb:10.11",
    ),
    "postgresql": _Service(
        "POSTGRES_URL",
        "postgresql://postgres@127.0.0.1:5432/postgres",
        "docker run --rm -p 127.0.0.1:5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres:16",
    ),
    "redis": _Service("REDIS_URL", "redis://127.0.0.1:6379/0", "docker run --rm -p 127.0.0.1:6379:6379 redis:7"),
    "rabbitmq": _Service(
        "AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//", "docker run --rm -p 127.0.0.1:5672:5672 rabbitmq:3"
    ),
}


@pytest.fixture(scope="session")
def service() -> Callable[[str], str]:
    """Return ``service(name)``, which gives the URL of the server `name`: redis, rabbitmq, postgresql or mariadb.

    A server that is not there skips the test; with CELERIAC_REQUIRE_SERVICES=1 whatever is skipped fails.
    """
    found: dict[str, str | None] = {}

    def url_of(name: str) -> str:
        wanted = _SERVICES[name]
        if name not in found:
            found[name] = wanted.why_unreachable()
        if (reason := found[name]) is not None:
            message = (
                f"needs {name}, which is not there ({reason}); start it ({wanted.remedy}) or set {wanted.variable}"
            )
            pytest.skip(message)
        return wanted.url()

    return url_of


@pytest.fixture
def redis_url(service: Callable[[str], str]) -> str:
    return service("redis")


@pytest.fixture
def rabbitmq_url(service: Callable[[str], str]) -> str:
    return service("rabbitmq")


@pytest.fixture
def own_redis_url(redis_url: str, spawn: _Spawner, tmp_path: Path) -> str:
    """A server that nobody else uses: for programs whose queues have names of their own choice."""
    if shutil.which("redis-server") is None:
        pytest.skip("needs redis-server on the PATH; install Redis")
    from nodes.ports import free_port  # not there where this file alone is tried

    port = str(free_port())
    words = ("--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", tmp_path)
    spawn("redis-server", *words).wait_for_output("Ready to accept connections")
    return f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def own_rabbitmq_url(rabbitmq_url: str) -> Iterator[str]:
    """A virtual host that nobody else uses, likewise."""
    control = shutil.which("rabbitmqctl")
    if control is None:
        pytest.skip("needs rabbitmqctl on the PATH, to make a virtual host")

    def tell(*words: str) -> None:
        subprocess.run([control, *words], check=True, capture_output=True)

    address = urlsplit(rabbitmq_url)
    name = f"test-{uuid4().hex}"
    tell("add_vhost", name)
    try:
        tell("set_permissions", "-p", name, address.username or "guest", ".*", ".*", ".*")
        yield address._replace(path=f"/{name}").geturl()
    finally:
        tell("delete_vhost", name)


# --- what waits in a queue, and a worker that takes it ----------------------------------------------------------------


@pytest.fixture(scope="session")
def claim() -> Callable[..., list[Any]]:
    """Return ``claim(app, *queues)``: what is in the queues, taken as a worker takes it."""
    from kombu.asynchronous import Hub

    from celeriac.contracts import Settlements

    def take(app: Any, *queues: str) -> list[Any]:
        connection = app.connection_for_read()
        lane = connection.transport_cls.consumer_lane(connection)
        hub = Hub()
        try:
            lane.open([app.amqp.queues[name] for name in queues or ("celery",)], hub, lambda: None)
            found = lane.claim(10_000)
            lane.settle(Settlements(ack=[delivery.tag for delivery in found]))
            return list(found)
        finally:
            lane.close()
            hub.close()

    return take


@pytest.fixture
def start_worker() -> Iterator[Callable[..., Any]]:
    """Return ``start_worker(app, **options)``: a worker in a thread, with no pool, stopped when the test ends."""
    started: list[tuple[Any, threading.Thread]] = []

    def start(app: Any, **options: Any) -> Any:
        ready = threading.Event()
        worker = app.Worker(**{"pool": "solo", "ready_callback": lambda _: ready.set(), **options})
        thread = threading.Thread(target=worker.start)
        started.append((worker, thread))
        thread.start()
        assert ready.wait(20)
        return worker

    yield start
    for worker, thread in started:
        worker.stop()
        thread.join(20)
        assert not thread.is_alive()
