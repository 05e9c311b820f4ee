"""The everyday app, in the test and in a worker of its own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from redis import Redis

from celeriac.cli.main import run

HERE = Path(__file__).parent


@pytest.fixture
def everyday(monkeypatch) -> Iterator[ModuleType]:
    """Return the module `everyday`, with an app that no other test has used."""
    spec = importlib.util.spec_from_file_location("everyday", HERE / "everyday.py")
    module = importlib.util.module_from_spec(spec)
    # Under its name, so that errors that a worker names by it are found.
    monkeypatch.setitem(sys.modules, "everyday", module)
    spec.loader.exec_module(module)
    with module.app:
        yield module


@pytest.fixture
def start_worker(spawn) -> Callable[..., Any]:
    """Return ``start_worker(*options)``: ``celeriac -A everyday worker`` with these options, once it is ready."""

    def start(*options: str, **kwargs: Any) -> Any:
        command = [sys.executable, "-m", "celeriac", "-A", "everyday", "worker", "-l", "INFO", *options]
        worker = spawn(*command, cwd=HERE, **kwargs)
        worker.wait_for_output("ready.")
        return worker

    return start


@pytest.fixture
def command_line(capsys, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """Return ``command_line(*words)``: runs ``celeriac *words`` in this process; gives code, output and errors."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(None, words)
        output, errors = capsys.readouterr()
        return ended.value.code, output, errors

    return call


@pytest.fixture(scope="session")
def own_keys() -> Callable[[str], dict[str, Any]]:
    """Return ``own_keys(name)``: options of a Redis broker whose keys are this test's own."""
    return lambda name: {"global_keyprefix": f"{name}:"}


@pytest.fixture(scope="session")
def leave_nothing() -> Callable[..., None]:
    """Return ``leave_nothing(app, *queues)``: removes from the broker what an app of `own_keys`, or any other, left."""

    def remove(app: Any, *queues: str) -> None:
        with app.connection_for_write() as connection:
            channel = connection.channel()
            for queue in queues:
                channel.queue_delete(queue)
        prefix = app.conf.broker_transport_options.get("global_keyprefix")
        if prefix:
            with Redis.from_url(app.broker_url()) as server:
                if keys := list(server.scan_iter(f"{prefix}*", count=1000)):
                    server.delete(*keys)

    return remove
