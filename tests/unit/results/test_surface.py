"""The public names of celery.result: each is there, and takes the arguments that Celery's takes."""

from __future__ import annotations

import inspect

import pytest

from celeriac import result, states

#: Needs remote control, which there is none of yet.
LATER = {"revoke", "revoke_by_stamped_headers"}

GET = (
    "timeout propagate interval no_ack follow_parents callback on_message on_interval disable_sync_subtasks "
    "EXCEPTION_STATES PROPAGATE_STATES"
)
JOIN = "timeout propagate interval callback no_ack on_message disable_sync_subtasks on_interval"

TASK = {
    "as_list": "",
    "as_tuple": "",
    "build_graph": "intermediate formatter",
    "collect": "intermediate **kwargs",
    "exists": "",
    "failed": "",
    "forget": "",
    "get": GET,
    "get_leaf": "",
    "iterdeps": "intermediate",
    "maybe_reraise": "propagate callback",
    "maybe_throw": "propagate callback",
    "ready": "",
    "successful": "",
    "then": "callback on_error weak",
    "throw": "*args **kwargs",
    "wait": GET,
}
TASK_ATTRIBUTES = (
    "TimeoutError app args backend children date_done graph id ignored info kwargs name parent queue result retries "
    "state status supports_native_join task_id traceback worker"
)
SET = {
    "add": "result",
    "clear": "",
    "completed_count": "",
    "discard": "result",
    "failed": "",
    "forget": "",
    "get": JOIN,
    "iter_native": "timeout interval no_ack on_message on_interval",
    "join": JOIN,
    "join_native": "timeout propagate interval callback no_ack on_message on_interval disable_sync_subtasks",
    "maybe_reraise": "callback propagate",
    "maybe_throw": "callback propagate",
    "ready": "",
    "remove": "result",
    "successful": "",
    "then": "callback on_error weak",
    "update": "results",
    "waiting": "",
}
GROUP = {**SET, "as_tuple": "", "delete": "backend", "restore": "id backend app", "save": "backend"}
EAGER = {
    **TASK,
    "get": "timeout propagate disable_sync_subtasks **kwargs",
    "wait": "timeout propagate disable_sync_subtasks **kwargs",
    "revoke": "*args **kwargs",
}
CLASSES = [
    (result.AsyncResult, "id backend task_name app parent", TASK),
    (result.EagerResult, "id ret_value state traceback name", EAGER),
    (result.ResultSet, "results app ready_barrier **kwargs", SET),
    (result.GroupResult, "id results parent **kwargs", GROUP),
]


def names_of(function):
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    parameters = inspect.signature(function).parameters.values()
    return " ".join(marks.get(one.kind, "") + one.name for one in parameters if one.name not in {"self", "cls"})


@pytest.mark.parametrize(("kind", "arguments", "methods"), CLASSES, ids=lambda value: getattr(value, "__name__", ""))
def test_every_method_takes_what_celerys_takes(kind, arguments, methods):
    assert names_of(kind.__init__) == arguments
    assert {name: names_of(getattr(kind, name)) for name in methods} == methods


def test_the_states_that_count_are_celerys():
    parameters = inspect.signature(result.AsyncResult.get).parameters
    assert parameters["EXCEPTION_STATES"].default == {"RETRY", "FAILURE", "REVOKED"} == states.EXCEPTION_STATES
    assert parameters["PROPAGATE_STATES"].default == {"FAILURE", "REVOKED"}


@pytest.mark.parametrize("make", ["stored", "eager"])
def test_every_attribute_is_there(app, make):
    app.results.store([app.results.entry("id", "SUCCESS", 1)])
    found = app.AsyncResult("id") if make == "stored" else result.EagerResult("id", 1, "SUCCESS")
    found.app = app
    values = {name: getattr(found, name) for name in TASK_ATTRIBUTES.split()}
    assert values["result"] == values["info"] == 1
    assert values["state"] == values["status"] == "SUCCESS"
    assert values["graph"].topsort() == [found]


def test_groups_have_their_attributes(app):
    member = app.AsyncResult("a")
    group = app.GroupResult("g", [member], parent=app.AsyncResult("p"))
    assert (group.id, group.results, group.children, group.parent.id) == ("g", [member], [member], "p")
    assert group.app is app
    assert group.backend is app.backend
    assert group.supports_native_join
    assert app.ResultSet([member]).results == [member]


def test_what_is_public_is_named():
    assert result.__all__ == sorted(result.__all__, key=lambda name: (not name[0].isupper(), name))
    assert all(hasattr(result, name) for name in result.__all__)


def test_what_needs_remote_control_is_not_there_as_an_empty_shell():
    assert not any(hasattr(result.AsyncResult, name) for name in LATER)
