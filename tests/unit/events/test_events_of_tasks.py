"""Events that a task itself sends."""

from __future__ import annotations

import pytest


@pytest.mark.covers("app.task.Task.send_event")
def test_an_event_of_the_tasks_own_is_heard_with_the_tasks_id(app, listen, start_worker, wait_until):
    @app.task(bind=True)
    def job(self):
        self.send_event("task-progress", percent=40)
        self.send_event("task-progress", percent=80, retry=False, retry_policy={"max_retries": 1})
        return self.request.id

    with listen(app, "task.progress") as heard:
        start_worker(app)
        task_id = job.delay().get(timeout=10)
        wait_until(lambda: len(heard) == 2, timeout=10, message="both are heard")
    events = [event for _, events in heard for event in events]
    assert [(event["type"], event["uuid"], event["percent"]) for event in events] == [
        ("task-progress", task_id, 40),
        ("task-progress", task_id, 80),
    ]
