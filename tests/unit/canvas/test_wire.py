"""The form in which canvases cross the broker: that of Celery, and the short one."""

from __future__ import annotations

import json

import pytest

from celeriac import chain, chord, group, xmap


@pytest.fixture
def crossing(app, claim):
    """Return ``crossing()``: headers, arguments and embed of what has been sent."""
    return lambda: [(each.headers, *(json.loads(each.body)[index] for index in (0, 2))) for each in claim(app)]


def test_the_first_of_a_chain_carries_the_rest_in_reverse(app, tasks, crossing):
    result = chain(tasks.add.s(1, 1), tasks.add.s(2), tasks.mul.s(3)).apply_async()
    [(headers, args, embed)] = crossing()
    assert (headers["task"], args) == ("add", [1, 1])
    assert [step["task"] for step in embed["chain"]] == ["mul", "add"]
    assert set(embed["chain"][0]) == {"task", "args", "kwargs", "options", "subtask_type", "immutable"}
    assert embed["chain"][0]["options"]["task_id"] == result.id
    assert embed["chain"][1]["options"]["task_id"] == result.parent.id
    assert headers["id"] == headers["root_id"] == result.parent.parent.id
    assert (embed["callbacks"], embed["errbacks"], embed["chord"]) == (None, None, None)


def test_each_task_of_a_header_carries_group_place_and_body(app, tasks, crossing):
    result = chord([tasks.add.s(1, 1), tasks.add.s(2, 2)], tasks.sum_up.s()).apply_async()
    sent = crossing()
    assert [headers["group_index"] for headers, _, _ in sent] == [0, 1]
    assert {headers["group"] for headers, _, _ in sent} == {result.parent.id}
    for _, _, embed in sent:
        assert (embed["chord"]["task"], embed["chord"]["options"]["task_id"]) == ("sum_up", result.id)


def test_in_a_chain_of_a_header_only_the_last_task_is_a_part(app, tasks, crossing):
    result = chord([chain(tasks.add.s(1, 1), tasks.add.s(2)), tasks.add.s(1, 1)], tasks.sum_up.s()).apply_async()
    (headers, _, embed), (other, _, _) = crossing()
    assert (headers["group"], embed["chord"]) == (None, None)
    last = embed["chain"][0]["options"]
    assert (last["group_id"], last["group_index"], other["group_index"]) == (result.parent.id, 0, 1)
    assert last["chord"]["options"]["task_id"] == result.id


def test_a_chord_that_is_still_to_come_has_its_body_once(app, tasks, crossing):
    chain(tasks.identity.s(1), group(tasks.add.s(1), tasks.add.s(2)), tasks.sum_up.s()).apply_async()
    [(_, _, embed)] = crossing()
    [pending] = embed["chain"]
    assert (pending["task"], pending["subtask_type"]) == ("celery.chord", "chord")
    header = pending["kwargs"]["header"]
    assert header["options"]["task_id"]
    assert all("chord" not in member["options"] for member in header["kwargs"]["tasks"])
    assert pending["kwargs"]["body"]["task"] == "sum_up"


def test_forms_of_other_versions_are_read(app, tasks):
    # Given a chord as older clients write it: a header that is a list, with the body in each of its options
    body = {"task": "sum_up", "args": [], "kwargs": {}, "options": {"task_id": "b"}, "subtask_type": None}
    member = {"task": "add", "args": [1, 1], "kwargs": {}, "options": {"chord": body, "task_id": "m"}, "chord_size": 1}
    written = {
        "task": "celery.chord",
        "args": [],
        "kwargs": {"header": [member], "body": body, "kwargs": {}, "more": 1},
        "options": {},
        "subtask_type": "chord",
    }
    found = app.signature(written)
    assert repr(found) == "%sum_up([add(1, 1)])"
    assert (found.body.id, found.tasks[0].id) == ("b", "m")

    # And as those of today freeze it: the body also in the options of the header
    frozen = {"task": "celery.group", "args": [], "kwargs": {"tasks": [member]}, "subtask_type": "group"}
    frozen["options"] = {"task_id": "g", "chord": body, "root_id": None, "parent_id": None}
    found = app.signature({**written, "kwargs": {"header": frozen, "body": body, "kwargs": {}}})
    assert found.apply().get() == 2
    assert found.settle({}).result().parent.id == "g"

    # And maps, which have no type of their own on the wire
    read = app.signature(json.loads(json.dumps(xmap(tasks.sum_up, [[1]]))))
    assert (type(read), read["subtask_type"], read["task"]) == (xmap, None, "celery.map")


def test_a_canvas_is_one_batch(app, tasks, monkeypatch):
    batches = []
    monkeypatch.setattr(app.publisher, "send", lambda messages, options=None: batches.append(len(messages)))
    inner = chord([tasks.add.s(n, n) for n in range(3)], tasks.sum_up.s())
    group(chord([inner, inner], tasks.sum_up.s()), group(tasks.add.s(1, 1)), inner).apply_async()
    assert batches == [10]


def test_the_messages_of_a_chain_grow_as_its_length(app, tasks, record, start_worker):
    # Given chains of ten and of a hundred tasks, where every worker is ours
    app.conf.task_protocol_compat = False
    sent = record(app)
    start_worker(app)
    sizes = {}
    for length in (10, 100):
        sent.clear()
        assert chain(tasks.add.s(1) for _ in range(length)).apply_async((0,)).get(timeout=20) == length
        sizes[length] = sum(len(message.body) for message in sent)
        assert len(sent) == length

    # Then ten times as many tasks need ten times as many bytes
    assert sizes[100] < 11 * sizes[10]


def test_a_chain_whose_rest_was_lost_fails_and_says_why(app, tasks, start_worker):
    app.conf.task_protocol_compat = False
    result = chain(tasks.identity.s(1), tasks.identity.s(), tasks.identity.s()).apply_async()
    app.results.forget([result.parent.id])
    start_worker(app)
    error = result.parent.get(timeout=10, propagate=False)
    assert "is not in the result store any more" in str(error)
    assert "result_expires" in str(error)


def test_what_follows_is_not_seen_in_the_result_that_it_waits_in(app, tasks):
    app.conf.task_protocol_compat = False
    result = chain(tasks.identity.s(1), tasks.identity.s()).apply_async()
    assert (result.state, result.result, result.ready()) == ("PENDING", None, False)
