"""What is loaded when: nothing by the import, little by an app, Kombu by the first message."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = [
    "asyncio",
    "click",
    "importlib.metadata",
    "importlib_metadata",
    "kombu",
    "multiprocessing",
    "pluggy",
    "stevedore",
]


def loaded_after(statements):
    probe = f"{statements}\nimport sys, json\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statements",
    [
        "import celeriac",
        "from celeriac import Celery; Celery('x', broker='redis://').amqp",
        "from celeriac import Celery; app = Celery('x'); app.conf.timezone = 'UTC'; app.config_from_object('y')",
        "from celeriac import shared_task; shared_task(lambda x: x)",
        "from celeriac import signals, states, exceptions",
    ],
)
def test_nothing_heavy_is_loaded_by(statements):
    assert loaded_after(statements) == set()


def test_reading_the_configuration_loads_the_plugins_and_not_kombu():
    assert "pluggy" in loaded_after("from celeriac import Celery; Celery('x', broker='redis://').conf.timezone")
    assert "kombu" not in loaded_after("from celeriac import Celery; Celery('x', broker='redis://').conf.timezone")


def test_kombus_own_error_is_loaded_when_it_is_named():
    assert "kombu" in loaded_after("from celeriac.exceptions import OperationalError")
