"""``celeriac graph workers`` with a worker that runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


@pytest.mark.covers("cli.graph workers")
def test_workers_are_drawn_with_their_queues(start_worker, spawn):
    start_worker("-P", "solo", "-n", "drawn@h", "-Q", "one,two")
    process = spawn(
        *(sys.executable, "-m", "celeriac", "-A", "everyday", "graph", "workers", "-t", "10"), cwd=Path(__file__).parent
    )

    assert process.wait(40) == 0
    drawing = process.output()
    assert drawing.startswith("digraph workers {\n")
    assert 'worker0 [label="drawn@h (1 at once)", shape=oval];' in drawing
    assert 'broker -> worker0 [label="one"];' in drawing
    assert 'broker -> worker0 [label="two"];' in drawing


def test_where_no_worker_answers_the_exit_code_says_so(spawn):
    process = spawn(sys.executable, "-m", "celeriac", "graph", "workers", "-t", "0.1")

    assert process.wait(40) == 69
    assert "Error: No worker has answered; is one running, on the broker sqlite:" in process.output()
