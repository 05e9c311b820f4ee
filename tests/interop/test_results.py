"""Results between Celeriac and Celery: each reads what the other has stored, and sees what it would see at home."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

FLEET = Path(__file__).with_name("fleet.py")
#: An interpreter with Celery, which `make interop` has made.
CELERY = os.environ.get("INTEROP_PYTHON")
PYTHON = {"celery": CELERY, "celeriac": sys.executable}

pytestmark = pytest.mark.skipif(CELERY is None, reason="needs Celery beside Celeriac: run `make interop`")


def failed(kind, module, *args, **more):
    value = {"type": kind, "module": module, "args": list(args)}
    return {
        "state": "FAILURE",
        "value": value,
        "traceback": True,
        "children": [],
        "done": True,
        "ancestors": [],
        **more,
    }


def succeeded(value, **more):
    return {
        "state": "SUCCESS",
        "value": value,
        "traceback": False,
        "children": [],
        "done": True,
        "ancestors": [],
        **more,
    }


OWN = ("OutOfStock", "fleet", "no bolts left", 5, ["M6", None])
EXPECTED = {
    "add": succeeded(4, name="add"),
    "built_in": failed("KeyError", "builtins", "missing", name="built_in"),
    "own": failed(*OWN, name="own"),
    "nested": failed("Warehouse.Closed", "fleet", "closed", name="nested"),
    "strange": failed("Unheard", "only_at_the_worker", "text", 1, name="strange"),
    "unwritable": failed("ValueError", "builtins", "cannot be written", "{1, 2}", name="unwritable"),
    "explained": failed("OutOfStock", "fleet", "because", name="explained"),
    "again": succeeded(2, name="again"),
    "too_often": failed("OutOfStock", "fleet", "at last", name="too_often"),
    "group": {
        "values": [2, 4, {"type": "OutOfStock", "module": "fleet", "args": list(OWN[2:])}],
        "restored": True,
        "completed": 2,
    },
    "chain": failed(*OWN, name="own", ancestors=[4, 2]),
    "chord": succeeded(6, name="total", ancestors=[[2, 4]]),
    "caller": succeeded(None, name="caller", children=[3, 7]),
    "expired": failed(
        "TaskRevokedError", "celery.exceptions", "expired", name="expired", state="REVOKED", traceback=False
    ),
}


@pytest.fixture
def run(spawn, environment):
    """Return ``run(framework, *arguments)``: the fleet's module or its worker, by that framework."""

    def start(framework, *arguments):
        return spawn(PYTHON[framework], *arguments, env={**environment, "FRAMEWORK": framework}, cwd=FLEET.parent)

    return start


@pytest.mark.parametrize(("client", "worker"), [("celeriac", "celery"), ("celery", "celeriac"), ("celery", "celery")])
def test_a_client_sees_of_the_others_worker_what_it_sees_of_its_own(run, client, worker):
    # Given a worker of one
    serving = run(worker, "-m", worker, "-A", "fleet", "worker", "-P", "solo", "-l", "INFO", "-Q", "fleet")
    serving.wait_for_output("ready.")

    # When a client of the other calls and waits
    calling = run(client, str(FLEET), *EXPECTED)

    # Then it sees each result, and each error with its class, its arguments and its traceback
    assert calling.wait(50) == 0, calling.output()
    [line] = [line for line in calling.output().splitlines() if line.startswith("SEEN ")]
    seen = json.loads(line.removeprefix("SEEN "))
    if client == "celery":  # says of each class that it had to make up that it is one of its own
        assert seen["strange"]["value"]["module"] == "celery.exceptions"
        seen["strange"]["value"]["module"] = "only_at_the_worker"
    assert {name: seen[name] for name in EXPECTED} == EXPECTED
