"""A call that has not been made: what it holds, how it is merged and copied, and that JSON can carry it."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from celeriac import Signature, maybe_signature, signature
from celeriac.exceptions import NotRegistered


@pytest.fixture
def add(app):
    @app.task(name="add")
    def add(x, y, z=0):
        return x + y + z

    return add


# -- what it is --------------------------------------------------------------------------------------------------------


@pytest.mark.covers(
    "app.task.Task.signature",
    "app.task.Task.subtask",
    "app.task.Task.s",
    "app.base.Celery.signature",
)
@pytest.mark.parametrize(
    "make",
    [
        lambda add: add.s(1, y=2),
        lambda add: add.signature((1,), {"y": 2}),
        lambda add: add.subtask((1,), kwargs={"y": 2}),
        lambda add: signature(add, (1,), {"y": 2}),
        lambda add: signature("add", args=(1,), kwargs={"y": 2}),
        lambda add: add.app.signature("add", (1,), {"y": 2}),
        lambda add: Signature("add", (1,), {"y": 2}, {}),
        lambda add: signature({"task": "add", "args": (1,), "kwargs": {"y": 2}, "options": {}}),
        lambda add: Signature.from_dict({"task": "add", "args": (1,), "kwargs": {"y": 2}}),
    ],
)
def test_each_way_to_write_it_is_the_same_map(add, make):
    found = make(add)
    assert dict(found) == {
        "task": "add",
        "args": (1,),
        "kwargs": {"y": 2},
        "options": {},
        "subtask_type": None,
        "immutable": False,
    }
    assert (found.task, found.name, found.args, found.kwargs, found.options) == ("add", "add", (1,), {"y": 2}, {})
    assert (found.immutable, found.subtask_type, found.id) == (False, None, None)


def test_it_is_shown_as_the_call_that_it_is(add):
    assert repr(add.s(1, y="a")) == "add(1, y='a')"


def test_options_may_be_given_at_once_or_later(add):
    found = add.signature((1,), countdown=3).set(priority=5)
    assert found.options == {"countdown": 3, "priority": 5}
    assert found.set(immutable=True) is found
    assert found.immutable
    found.set_immutable(False)
    assert not found.immutable
    found.args = (7,)
    assert found["args"] == (7,)
    with pytest.raises(AttributeError):
        _ = found.no_such_thing


def test_it_is_called_by_itself_or_with_more_arguments_before_its_own(add):
    assert add.s(1, 2)() == 3
    assert add.s(2)(1) == 3
    assert add.s(2, z=10)(1) == 13
    assert add.s(z=10)(1, 2, z=20) == 23
    assert add.si(1, 2)(100, z=100) == 3


def test_the_task_and_the_app_are_those_it_was_made_of(make_app, add):
    other = make_app("other", set_as_current=True)
    assert add.s().app is add.app
    assert signature(add).app is add.app
    assert add.s().type is add
    assert Signature("add").app is other
    with pytest.raises(NotRegistered):
        _ = Signature("no.such.task").type


# -- sending -----------------------------------------------------------------------------------------------------------


def test_it_is_sent_with_its_options_and_those_of_the_call_on_top(app, add, record):
    sent = record(app)
    found = add.signature((2,), {"z": 3}, priority=4, queue="q")
    found.delay(1)
    found.apply_async((1,), {"z": 9}, priority=5)
    app.signature("unknown.here", (1,), queue="q").apply_async()
    first, second, third = sent
    assert json.loads(first.body)[:2] == [[1, 2], {"z": 3}]
    assert json.loads(second.body)[:2] == [[1, 2], {"z": 9}]
    assert [message.properties.get("priority") for message in sent] == [4, 5, 0]
    assert [message.routing_key for message in sent] == ["q", "q", "q"]
    assert third.headers["task"] == "unknown.here"


def test_one_that_takes_no_more_is_sent_as_it_is(app, add, record):
    sent = record(app)
    add.si(1, 2).apply_async((3,), {"z": 4})
    assert json.loads(sent[0].body)[:2] == [[1, 2], {}]


def test_it_is_run_here_with_apply(add):
    assert add.s(2).apply((1,)).get() == 3


def test_a_wrong_call_is_refused_when_it_is_sent(app, add, record):
    sent = record(app)
    for call in (add.s(1), add.s(1, 2, 3, 4), add.s(nothing=1)):
        with pytest.raises(TypeError, match=r"^add\(x, y, z=0\): "):
            call.delay()
    assert sent == []


# -- copies ------------------------------------------------------------------------------------------------------------


def test_a_clone_has_more_arguments_before_its_own_and_shares_nothing(add):
    original = add.signature((3,), {"z": {"deep": [1]}}, queue="q")
    original.link(add.s(1))
    clone = original.clone((1, 2), {"y": 5}, priority=3)
    assert (clone.args, clone.kwargs["y"]) == ((1, 2, 3), 5)
    assert clone.options["queue"] == "q"
    assert clone.options["priority"] == 3
    clone.kwargs["z"]["deep"].append(2)
    clone.link(add.s(2))
    clone.set(queue="other")
    assert original.kwargs == {"z": {"deep": [1]}}
    assert (original.args, original.options["queue"]) == ((3,), "q")
    assert len(original.options["link"]) == 1
    assert clone.type is add


def test_a_clone_of_one_that_takes_no_more_takes_options_only(add):
    clone = add.si(1, 2).clone((9,), {"z": 9}, queue="q")
    assert (clone.args, clone.kwargs, clone.options, clone.immutable) == ((1, 2), {}, {"queue": "q"}, True)


def test_signatures_of_signatures_are_copies(add):
    original = add.s(1)
    assert signature(original) is not original
    assert signature(original) == original
    assert maybe_signature(original) is original
    assert maybe_signature(original, clone=True) is not original
    assert maybe_signature(None) is None
    assert maybe_signature(5) == 5
    found = maybe_signature({"task": "add", "args": [1]}, app=add.app)
    assert isinstance(found, Signature)
    assert found.app is add.app


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda found: pickle.loads(pickle.dumps(found))])
def test_it_can_be_copied_and_pickled(add, again):
    found = add.signature((1,), {"y": [2]}, link=[add.s(3)], immutable=True)
    back = again(found)
    assert back == found
    assert isinstance(back, Signature)
    assert back is not found


def test_json_carries_it_and_it_works_on_the_other_side(app, add):
    found = add.signature((1,), {"y": 2}, priority=3, link=add.s(5))
    wire = json.loads(json.dumps(found))
    assert wire["options"]["link"]["task"] == "add"
    back = app.signature(wire)
    assert (list(back.args), back.kwargs, back.options["priority"], back.immutable) == ([1], {"y": 2}, 3, False)
    assert back() == 3
    assert back.apply((10,), {"y": 0, "z": 1}).failed()  # the 10 comes before the 1: x=10, y=1 twice


@pytest.mark.parametrize(
    "wire",
    [
        {"task": "add", "args": [1, 2], "kwargs": None, "options": None},
        {"task": "add", "args": [1, 2], "immutable": None, "chord_size": 3},
        {"task": "add", "args": None, "kwargs": {"x": 1, "y": 2}, "subtask_type": None},
    ],
)
def test_what_others_leave_out_or_add_is_tolerated(app, add, wire):
    found = app.signature(wire)
    assert found() == 3
    assert found.clone().apply().get() == 3
    assert found.apply_async().id


# -- links and ids -----------------------------------------------------------------------------------------------------


def test_callbacks_and_errbacks_are_linked_once_each(add):
    found, callback, errback = add.s(1, 2), add.s(3), add.s(4)
    assert found.link(callback) == callback
    found.link(add.s(3))
    found.link(add.s(5))
    assert [link["args"] for link in found.options["link"]] == [(3,), (5,)]
    assert found.link_error(errback) == errback
    assert found.on_error(add.s(6)) is found
    assert [link["args"] for link in found.options["link_error"]] == [(4,), (6,)]


def test_a_link_that_was_given_as_an_option_is_one_of_them(add):
    found = add.signature((1, 2), link=add.s(3))
    found.link(add.s(4))
    assert [link["args"] for link in found.options["link"]] == [(3,), (4,)]


def test_freezing_settles_the_id_and_gives_the_result(app, add, record):
    sent = record(app)
    found = add.s(1, 2)
    result = found.freeze()
    assert found.id == result.id
    assert found.freeze().id == result.id
    assert found.delay().id == result.id
    assert sent[0].headers["id"] == result.id
    other = add.s(1, 2)
    other.freeze("mine", group_id="g", root_id="r", parent_id="p", group_index=3)
    other.apply_async()
    headers = sent[1].headers
    assert (headers["id"], headers["group"], headers["group_index"]) == ("mine", "g", 3)
    assert (headers["root_id"], headers["parent_id"]) == ("r", "p")


def test_two_sendings_of_one_signature_are_two_tasks(app, add):
    found = add.s(1, 2)
    assert found.delay().id != found.delay().id
    assert found.id is None
