"""What is known of tasks whose worker has died: those whose success is stored have ended."""

from __future__ import annotations

import sqlite3

import pytest

from celeriac import Celery
from celeriac.contracts.broker import Delivery
from celeriac.worker.outlived import successes


def delivery(task_id):
    return Delivery(task_id, "q", {"id": task_id, "task": "t"}, {}, b"", "application/json", "utf-8", "", "q", False, 1)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE result SET payload = x'7b7b' WHERE task_id = 'damaged'",
        "UPDATE result SET content_type = 'application/x-python-serialize' WHERE task_id = 'damaged'",
    ],
    ids=["bytes", "type"],
)
def test_a_result_that_cannot_be_read_hides_no_other(tmp_path, caplog, damage):
    url = f"sqlite:///{tmp_path}/results.db"
    app = Celery("proj", set_as_current=False, broker=url, backend=url)
    for task_id in ("one", "damaged", "two"):
        app.results.store_state(task_id, "SUCCESS", task_id.upper())
    app.results.store_state("failed", "FAILURE", ValueError("no"))
    with sqlite3.connect(tmp_path / "results.db") as file:
        assert file.execute(damage).rowcount == 1
    found = successes(app, [delivery(each) for each in ("one", "damaged", "failed", "two", "unknown")])
    assert found == {"one": "ONE", "two": "TWO"}
    assert "Whether task damaged of a dead worker has succeeded cannot be read" in caplog.text
