"""Deadlines through a whole worker."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

import celeriac_deadline
from celeriac.app.base import Celery
from celeriac.contracts import OutcomeKind
from celeriac.exceptions import TaskRevokedError


@pytest.fixture
def app(listener):
    url = f"memory://{uuid4().hex}"
    app = Celery("proj", broker=url, backend=url, set_as_current=False)
    app.plugins.register(listener)
    yield app
    app.close()


def test_a_message_that_is_late_is_dropped_and_whoever_waits_is_told(app, listener, start_worker, wait_until):
    ran = []

    @app.task(name="proj.note")
    def note():
        ran.append(True)

    result = note.apply_async(headers={"deadline": time.time() - 1})
    start_worker(app)
    with pytest.raises(TaskRevokedError, match="expired"):
        result.get(timeout=10)
    (outcome,) = wait_until(lambda: listener.outcomes)
    assert (outcome.kind, outcome.task_id, outcome.task) == (OutcomeKind.EXPIRED, result.id, "proj.note")
    assert not ran


def test_a_task_knows_what_is_left_and_gives_it_to_what_it_calls(app, start_worker):
    @app.task(deadline=5000)
    def child():
        return celeriac_deadline.remaining()

    @app.task(deadline=1000)
    def parent():
        return [celeriac_deadline.remaining(), child.delay().id]

    start_worker(app)
    left, child_id = parent.delay().get(timeout=10)
    assert 900 < left <= 1000
    assert 900 < app.AsyncResult(child_id).get(timeout=10) <= 1000


def test_a_callback_has_what_its_task_has_left(app, start_worker):
    @app.task
    def child(_):
        return celeriac_deadline.remaining()

    @app.task(deadline=1000)
    def parent():
        pass

    start_worker(app)
    result = parent.apply_async(link=child.s())
    result.get(timeout=10)
    (child_id,) = [found.id for found in result.children]
    assert 900 < app.AsyncResult(child_id).get(timeout=10) <= 1000


def test_a_retry_has_what_is_left_and_not_a_new_budget(app, start_worker):
    seen = []

    @app.task(bind=True, deadline=1000)
    def again(self):
        seen.append(self.request.headers["deadline"])
        if self.request.retries < 2:
            raise self.retry(countdown=0)

    start_worker(app)
    again.delay().get(timeout=10)
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_a_retry_beyond_the_deadline_ends_as_expired(app, start_worker):
    @app.task(bind=True, deadline=0.2)
    def again(self):
        raise self.retry(countdown=0.3)

    start_worker(app)
    with pytest.raises(TaskRevokedError, match="expired"):
        again.delay().get(timeout=10)


def test_a_loop_that_checks_fails_with_the_deadlines_own_error(app, start_worker):
    @app.task(deadline=0.2)
    def looping():
        while True:
            celeriac_deadline.check()

    start_worker(app)
    with pytest.raises(celeriac_deadline.DeadlineExceeded):
        looping.delay().get(timeout=10)
