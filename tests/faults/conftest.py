"""A broker and a result store of each test's own, and a load on them."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from celeriac import Celery

# Here and not in the package: it is this that makes the package importable, also for the tests.
sys.path.insert(0, str(Path(__file__).parent))

from nodes.rabbit import MISSING, RabbitNode, server_command
from strained.places import KOMBUS, Place, SharedNode, rabbitmq_place, redis_place, sqlite_place  # as above
from strained.strain import Strain  # as above

#: Read before a test's environment is cleaned. Another seed finds other moments: FAULTS_SEED=7 repeats those of a run.
SEED = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))


@pytest.fixture
def place(request, tmp_path, spawn) -> Iterator[Place]:
    """Return the broker and the result store of this test: `request.param`, or the embedded ones."""
    directory = tmp_path / "place"
    directory.mkdir()
    kind = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        found = sqlite_place(directory)
    elif kind == "redis":
        found = redis_place(spawn, directory)
    elif kind == "rabbitmq":
        found = rabbitmq_place(SharedNode(request.getfixturevalue("rabbitmq_url")), spawn, directory)
    elif kind == "kombu":
        node = SharedNode(request.getfixturevalue("rabbitmq_url"))
        found = rabbitmq_place(node, spawn, directory, broker_transport=KOMBUS)
    else:
        if server_command() is None:
            pytest.skip(MISSING)
        (directory / "node").mkdir()
        node = RabbitNode(directory / "node")
        node.start()
        found = rabbitmq_place(node, spawn, directory)
    yield found
    found.release()


@pytest.fixture
def strain(request, place, tmp_path, monkeypatch, spawn, wait_until) -> Iterator[Strain]:
    """Return a queue of this test's own, with no worker yet; its random choices follow from the printed seed."""
    print(f"FAULTS_SEED={SEED}")
    journal = tmp_path / "journal"
    monkeypatch.setenv("FAULTS_JOURNAL", str(journal))
    monkeypatch.setenv("FAULTS_SETTINGS", json.dumps(place.settings))
    # A string seeds the same in every process, which the hash of one would not.
    chance = random.Random(f"{SEED} {request.node.name}")
    with Celery("faults", **place.settings) as app:
        yield Strain(app, place, journal, spawn, wait_until, chance)
