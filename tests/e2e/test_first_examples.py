"""The first examples that a person sees work as typed: those of the README and of the tutorial."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

SCRIPT = [str(Path(sys.executable).with_name("celeriac"))]
MODULE = [sys.executable, "-m", "celeriac"]


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("document", "celeriac", "stop"),
    [
        pytest.param("README.md", SCRIPT, signal.SIGTERM, id="readme"),
        pytest.param("README.md", MODULE, signal.SIGTERM, id="readme, as python -m celeriac"),
        pytest.param("docs/tutorial/first-steps.md", SCRIPT, signal.SIGINT, id="tutorial"),
    ],
)
def test_the_first_example_works_as_typed(pytestconfig, spawn, tmp_path, document, celeriac, stop):
    # Given the tasks.py of the document, and its command in the same directory
    path = pytestconfig.rootpath / document
    [tasks] = blocks(path, "python")
    [command] = [line for block in blocks(path, "console") for line in block.splitlines() if " -A " in line]
    (tmp_path / "tasks.py").write_text(tasks)
    (tmp_path / "session.txt").write_text("\n".join(blocks(path, "pycon")))
    worker = spawn(*celeriac, *command.removeprefix("$ celeriac ").split())
    worker.wait_for_output("tasks.add")

    # When its session is typed, then each line answers what the document says
    session = spawn(sys.executable, "-m", "doctest", "session.txt")
    assert session.wait(timeout=40) == 0, session.output()

    # And the worker stops when asked, and leaves no process behind
    worker.signal(stop)
    assert worker.wait() == 0
    assert worker.session_pids() == []
    # Of errors it has told those of the tasks that fail on purpose, and no other
    output = worker.output()
    assert output.count("Traceback") == output.count("failed: ZeroDivisionError")
