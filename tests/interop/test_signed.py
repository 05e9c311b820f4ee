"""Signed messages between Celeriac and Celery: each runs, answers and obeys what the other has signed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

APP = Path(__file__).with_name("signed.py")
KEYS = Path(__file__).parents[1] / "plugins" / "auth" / "data"
#: An interpreter with Celery, which `make interop` has made.
CELERY = os.environ.get("INTEROP_PYTHON")
PYTHON = {"celery": CELERY, "celeriac": sys.executable}
EXPECTED = {
    "add": 4,
    "again": 2,
    "chain": 7,
    "chord": 6,
    "ping": ["pong"],
    "registered": ["add", "again", "total"],
}

pytestmark = pytest.mark.skipif(CELERY is None, reason="needs Celery beside Celeriac: run `make interop`")


@pytest.fixture
def run(spawn, environment):
    """Return ``run(framework, *arguments)``: the app's module or its worker, by that framework."""

    def start(framework, *arguments):
        settings = {**environment, "FRAMEWORK": framework, "KEYS": str(KEYS)}
        return spawn(PYTHON[framework], *arguments, env=settings, cwd=APP.parent)

    return start


@pytest.mark.parametrize(("client", "worker"), [("celeriac", "celery"), ("celery", "celeriac")])
def test_a_client_is_believed_by_the_others_worker_and_believes_it(run, client, worker):
    # Given a worker of one that accepts signed content only
    serving = run(worker, "-m", worker, "-A", "signed", "worker", "-P", "solo", "-l", "INFO", "-Q", "signed")
    serving.wait_for_output("ready.")

    # When a client of the other calls, waits, and asks the worker
    calling = run(client, str(APP), *EXPECTED)

    # Then each believes what the other has signed
    assert calling.wait(50) == 0, calling.output()
    [line] = [line for line in calling.output().splitlines() if line.startswith("SEEN ")]
    assert json.loads(line.removeprefix("SEEN ")) == EXPECTED
    assert "refused" not in serving.output()
