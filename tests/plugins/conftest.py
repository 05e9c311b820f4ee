"""What the tests of several plugins share: a loop turned by hand, messages, the suite of pools in a process of its own.

And what a conformance test finds is what the table of capabilities says.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from kombu import Queue
from kombu.asynchronous import Hub

from celeriac.contracts import ConsumerLane, Outcome, OutgoingMessage, ProducerLane
from celeriac.plugin import hookimpl
from celeriac.testing.conformance import BackendSuite, BrokerSuite, VerdictKind
from celeriac.testing.conformance.claims import AGREEMENT, needs_of
from celeriac.testing.conformance.suite import test_names, words_of
from celeriac.testing.conformance.table import MARKS

_ROW = re.compile(r"^\| (?P<test>[^|`]+) \| \w+ \| (?P<marks>.*) \|$")


@cache
def _said(root: Path) -> dict[tuple[str, str, str], str]:
    """The marks of the page, by section, column and test."""
    section, columns, found = "", [], {}
    for line in (root / "docs" / "reference" / "capabilities.md").read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("| | level |"):
            columns = re.findall(r"`([^`]+)`", line)
        elif row := _ROW.match(line):
            marks = zip(columns, row["marks"].split(" | "), strict=True)
            found.update({(section, name, row["test"]): mark for name, mark in marks})
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Hold the outcome of a suite's test against the column of the page that its class names with `column`."""
    report = yield
    column = getattr(getattr(item, "cls", None), "column", None)
    if column is None or call.when != "call" or report.failed:
        return report
    suite = next(base for base in (BrokerSuite, BackendSuite) if issubclass(item.cls, base))
    section = "Brokers" if suite is BrokerSuite else "Result stores"
    # Of what is not claimed there may be no test; the one that there always is looks at these.
    names = test_names(suite) if item.originalname == AGREEMENT else [item.originalname]
    for name in names:
        said = _said(item.config.rootpath).get((section, column, words_of(name)))
        is_claimed = not needs_of(getattr(suite, name)) & set(item.cls.unclaimed)
        seen = MARKS[VerdictKind.PASSED if is_claimed else VerdictKind.NOT_CLAIMED]
        if said != seen:
            report.outcome = "failed"
            report.longrepr = (
                f"docs/reference/capabilities.md says {said!r} of {column} and {words_of(name)!r}, "
                f"and it is {seen!r}: `make capabilities`"
            )
    return report


@dataclass
class Loop:
    """A real event loop, and how often a lane said that it is ready."""

    hub: Hub = field(default_factory=Hub)
    calls: int = 0

    def on_ready(self) -> None:
        self.calls += 1

    def turn_until(self, condition: Callable[[], Any], timeout: float = 45.0) -> Any:
        deadline = time.monotonic() + timeout
        # The hub polls for up to a second; a timer bounds that, so that the deadline is kept.
        tick = self.hub.call_repeatedly(0.02, lambda: None)
        try:
            while not (value := condition()):
                assert time.monotonic() < deadline, f"not within {timeout:g} s"
                self.hub.run_once()
            return value
        finally:
            tick.cancel()

    def calm(self, seconds: float = 0.1) -> None:
        """Turn until what has happened so far, and in so many seconds, has been heard."""
        heard: list[bool] = []
        self.hub.call_later(seconds, heard.append, True)
        self.turn_until(lambda: heard)


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.hub.close()


@pytest.fixture
def producer(connect, transport) -> Iterator[ProducerLane]:
    """A lane to the broker of ``connect()``."""
    lane = transport.producer_lane(connect())
    yield lane
    lane.close()


@pytest.fixture
def consume(connect, loop, transport) -> Iterator[Callable[..., ConsumerLane]]:
    """Return ``consume(*queues, **transport_options)``: a new lane, open on these queues (default: tasks)."""
    opened = []

    def open_lane(*queues: str | Queue, **options: Any) -> ConsumerLane:
        lane = transport.consumer_lane(connect(**options))
        opened.append(lane)
        named = [queue if isinstance(queue, Queue) else Queue(queue) for queue in queues or ("tasks",)]
        lane.open(named, loop.hub, loop.on_ready)
        return lane

    yield open_lane
    for lane in opened:
        lane.close()


@pytest.fixture
def message() -> Callable[..., OutgoingMessage]:
    """Return ``message(body, **what differs)``."""

    def make(body: bytes | str = b"{}", routing_key: str = "tasks", **given: Any) -> OutgoingMessage:
        values = {
            "content_type": "application/json",
            "content_encoding": "utf-8",
            "headers": {"id": "1"},
            "properties": {"correlation_id": "1"},
            "exchange": "",
            **given,
        }
        return OutgoingMessage(body=body.encode() if isinstance(body, str) else body, routing_key=routing_key, **values)

    return make


@pytest.fixture
def bodies() -> Callable[[Any], list[str]]:
    return lambda deliveries: [delivery.body.decode() for delivery in deliveries]


_POOL_PROGRAM = """
{patch}
from celeriac.testing.conformance import PoolHarness, PoolSuite, run

for concurrency in (1, 2, 8):
    class Pool(PoolSuite):
        unclaimed = ("children", "jobs ahead", *(["several at once"] if concurrency == 1 else []))

        def make_harness(self):
            return PoolHarness({name!r}, concurrency)

    for verdict in run(Pool):
        print(verdict.kind, "|", verdict.test, "|", verdict.detail, flush=True)
print("all", flush=True)
"""


@pytest.fixture
def verdicts_on_pool(spawn, tmp_path) -> Callable[..., list[list[str]]]:
    """Return ``verdicts_on_pool(name, patch)``: what the suite finds of it, in a process that is patched at first.

    Each is a verdict, the test, and a detail.
    """

    def check(name: str, patch: str) -> list[list[str]]:
        (tmp_path / "program.py").write_text(_POOL_PROGRAM.format(name=name, patch=patch))
        program = spawn(sys.executable, "program.py", cwd=tmp_path)
        program.wait_for_output("all\n", timeout=50)
        return [line.split(" | ") for line in program.output().splitlines() if " | " in line]

    return check


class Listener:
    """A plugin that notes how deliveries have ended."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    @hookimpl
    def celeriac_outcome_listeners(self) -> list[Callable[[Outcome], None]]:
        return [self.outcomes.append]


@pytest.fixture
def listener() -> Listener:
    return Listener()
