"""``task.request``: what a task may know of the message that called it, and whose request it is."""

from __future__ import annotations

import json
import os
import socket

import pytest

from celeriac import current_task
from celeriac.app.context import Context
from celeriac.app.task import Task
from celeriac.exceptions import ImproperlyConfigured


def test_a_task_run_by_a_worker_knows_its_message(app, start_worker):
    @app.task(name="t", bind=True)
    def job(self, x, y):
        request = self.request
        fields = (
            "id root_id parent_id group group_index retries eta expires timelimit shadow correlation_id reply_to "
            "hostname origin is_eager called_directly delivery_info args kwargs argsrepr lang headers stamps "
            "stamped_headers ignore_result replaced_task_nesting task priority"
        )
        return {field: getattr(request, field) for field in fields.split()}

    start_worker(app, hostname="w1@host")
    result = job.apply_async(
        (1,),
        {"y": 2},
        root_id="root",
        parent_id="parent",
        group_id="g",
        group_index=3,
        retries=1,
        expires=3600,
        time_limit=20,
        soft_time_limit=10,
        shadow="alias",
        priority=4,
        headers={"tenant": "acme"},
        stamped_headers=["s"],
        stamps={"s": 1},
    )
    found = result.get(timeout=10)
    assert found.pop("expires") is not None
    assert found == {
        "id": result.id,
        "root_id": "root",
        "parent_id": "parent",
        "group": "g",
        "group_index": 3,
        "retries": 1,
        "eta": None,
        "timelimit": [20, 10],
        "shadow": "alias",
        "correlation_id": result.id,
        "reply_to": app.thread_oid,
        "hostname": "w1@host",
        "origin": f"gen{os.getpid()}@{socket.gethostname()}",
        "is_eager": False,
        "called_directly": False,
        "delivery_info": {"exchange": "", "routing_key": "celery", "priority": 4, "redelivered": False},
        "args": [1],
        "kwargs": {"y": 2},
        "argsrepr": "(1,)",
        "lang": "py",
        "headers": {"tenant": "acme"},
        "stamps": {"s": 1},
        "stamped_headers": ["s"],
        "ignore_result": False,
        "replaced_task_nesting": 0,
        "task": "t",
        "priority": 4,
    }


def test_outside_of_a_run_the_request_is_empty(app):
    @app.task(bind=True)
    def job(self):
        return self.request

    for request in (job.request, job()):
        assert (request.id, request.called_directly, request.retries, request.children) == (None, True, 0, [])
        assert request.get("id", "default") is None
        assert request.get("no_such_field", "default") == "default"
    assert app.current_task is None
    assert not current_task


def test_each_task_has_its_own_request_however_they_are_nested(app):
    @app.task(bind=True, name="inner")
    def inner(self):
        return self.request.id, outer.request.id, app.current_task.name

    @app.task(bind=True, name="outer")
    def outer(self):
        called = inner()
        applied = inner.apply(task_id="i").get()
        return called, applied, self.request.id, app.current_task.name

    called, applied, own, current = outer.apply(task_id="o").get()
    assert called == (None, "o", "outer")
    assert applied == ("i", "o", "inner")
    assert (own, current) == ("o", "outer")


def test_a_subclass_with_a_call_of_its_own_has_the_request_there(app):
    class Checked(Task):
        abstract = True

        def __call__(self, *args, **kwargs):
            return self.request.id, super().__call__(*args, **kwargs)

    @app.task(base=Checked, bind=True)
    def job(self):
        return self.request.id

    assert job.apply(task_id="i").get() == ("i", "i")


def test_the_current_task_is_the_one_that_runs(app):
    @app.task(name="t")
    def job():
        return current_task.name, current_task.request.id, bool(current_task)

    assert job.apply(task_id="i").get() == ("t", "i", True)


@pytest.mark.covers("app.task.Task.update_state")
def test_a_state_of_the_users_own_is_stored_with_what_is_known(app, start_worker):
    @app.task(bind=True, name="t")
    def job(self):
        self.update_state(state="HALF", meta={"done": 50})
        half = app.AsyncResult(self.request.id)
        self.update_state(task_id="other", state="OTHER", meta=1)
        return half.state, half.info

    start_worker(app)
    assert job.delay().get(timeout=10) == ["HALF", {"done": 50}]
    assert (app.AsyncResult("other").state, app.AsyncResult("other").result) == ("OTHER", 1)
    with pytest.raises(ImproperlyConfigured, match="outside of a running task needs a task_id"):
        job.update_state(state="HALF")


def test_what_another_message_must_carry_is_made_of_the_fields():
    request = Context({"id": "i"}, group="g", timelimit=[3, 2], callbacks=[1], stamps={"a": 1})
    request.update(retries=4)
    options = request.as_execution_options()
    assert options["task_id"] == "i"
    assert (options["group_id"], options["time_limit"], options["soft_time_limit"]) == ("g", 3, 2)
    assert (options["link"], options["retries"], options["stamps"]) == ([1], 4, {"a": 1})
    assert "i" in repr(request)
    request.clear()
    assert request.id is None


def test_a_request_can_be_shown_as_json(app, start_worker):
    @app.task(bind=True)
    def job(self):
        return json.dumps({key: value for key, value in vars(self.request).items() if key != "_children"})

    start_worker(app)
    assert json.loads(job.delay().get(timeout=10))["retries"] == 0
