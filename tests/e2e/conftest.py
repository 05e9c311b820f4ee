"""The everyday app, in the test and in a worker of its own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

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
