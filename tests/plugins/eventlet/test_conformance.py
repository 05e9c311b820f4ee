"""The pool does what every pool must do, in a process that is patched from its first line."""

from __future__ import annotations

import sys

PROGRAM = """
import eventlet
eventlet.monkey_patch()
import time
from celeriac.testing.conformance import PoolHarness, PoolSuite, run
from celeriac_eventlet.pool import EventletPool

for concurrency in (1, 2, 8):
    class TestEventletPool(PoolSuite):
        def make_harness(self):
            return PoolHarness(EventletPool, concurrency)

    for verdict in run(TestEventletPool):
        print(verdict.kind, "|", verdict.test, "|", verdict.detail, flush=True)
print("all", flush=True)
"""


def test_it_passes_the_suite(spawn, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    program = spawn(sys.executable, "program.py", cwd=tmp_path)
    program.wait_for_output("all\n", timeout=50)
    lines = [line.split(" | ") for line in program.output().splitlines() if " | " in line]
    failed = [line for line in lines if line[0] == "failed"]
    assert not failed
    passed = {line[1] for line in lines if line[0] == "passed"}
    assert {"a running job is terminated and no other", "a long job holds nobody back"} <= passed
