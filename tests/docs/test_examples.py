"""The sessions in docs/ answer as they say they do: typed into a real interpreter, with a real worker running."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


def sessions() -> list[str]:
    return [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/**/*.md")) if ">>> " in path.read_text()]


@pytest.mark.parametrize("document", sessions())
def test_a_session_answers_what_the_document_says(document, spawn, tmp_path):
    # Given the tasks.py of the document, where it has one, and a worker of that
    path = ROOT / document
    for tasks in [block for block in blocks(path, "python") if "app = Celery(" in block][:1]:
        (tmp_path / "tasks.py").write_text(tasks)
        worker = spawn(sys.executable, "-m", "celeriac", "-A", "tasks", "worker")
        worker.wait_for_output("tasks.")

    # When its session is typed, then each line answers what the document says
    (tmp_path / "session.txt").write_text("\n".join(blocks(path, "pycon")))
    session = spawn(sys.executable, "-m", "doctest", "session.txt")
    assert session.wait(timeout=50) == 0, session.output()


def test_every_line_of_a_session_is_typed():
    # Lines outside of a block, or in one of another language, would be shown and never tried
    for document in sessions():
        typed = "".join(blocks(ROOT / document, "pycon")).count(">>> ")
        assert typed == (ROOT / document).read_text().count(">>> "), document


def test_the_examples_that_everybody_tries_are_there():
    shown = "".join("".join(blocks(ROOT / document, "pycon")) for document in sessions())
    for example in (
        "(add.s(2, 2) | add.s(4))()",
        "chord([add.s(2, 2), add.s(4, 4)])(sum_task.s())",
        "chain(add.s(n) for n in range(5))",
        ".set(countdown=1).set(expires=60)",
    ):
        assert example in shown
