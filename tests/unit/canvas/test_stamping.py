"""Stamps: on every part of a canvas, in the headers of its messages, in the results."""

from __future__ import annotations

import pytest

from celeriac import chain, chord, group
from celeriac.canvas import StampingVisitor


class Named(StampingVisitor):
    """Stamps each task, and notes what it was shown."""

    def __init__(self):
        self.seen = []

    def on_signature(self, sig, **headers):
        self.seen.append(("signature", sig.task))
        return {"stamp": "value", "header": "option", "stamped_headers": ["stamp"]}

    def on_group_start(self, group, **headers):
        self.seen.append(("group", len(group)))
        return {"in_group": 1}

    def on_chain_start(self, chain, **headers):
        self.seen.append(("chain", len(chain)))
        return {}

    def on_chord_body(self, sig, **header):
        self.seen.append(("body", sig.body.task))
        return {"is_body": True}

    def on_callback(self, callback, **header):
        self.seen.append(("callback", callback.task))
        return {"linked": True}

    def on_errback(self, errback, **header):
        self.seen.append(("errback", errback.task))
        return {}


def test_a_visitor_sees_every_part(tasks):
    t, visitor = tasks, Named()
    canvas = chain(
        t.add.s(1, 1).on_error(t.errback.s()),
        chord([t.add.s(1), t.add.s(2)], t.sum_up.s()),
        group(t.mul.s(1), t.mul.s(2)),
    )
    canvas.tasks[0].link(t.callback.s())
    canvas.stamp(visitor)
    assert visitor.seen.count(("signature", "mul")) == 2
    for expected in (("chain", 3), ("body", "sum_up"), ("callback", "callback"), ("errback", "errback"), ("group", 2)):
        assert expected in visitor.seen


def test_stamps_are_in_the_headers_of_the_message_and_in_the_result(app, tasks, record, start_worker):
    sent = record(app)
    result = tasks.add.s(1, 1).stamp(tenant="north", kind=["a", "b"]).apply_async()
    [message] = sent
    assert message.headers["stamped_headers"] == ["kind", "tenant"]
    assert message.headers["stamps"] == {"kind": ["a", "b"], "tenant": ["north"]}
    assert not {"tenant", "kind"} & message.properties.keys()
    start_worker(app)
    assert result.get(timeout=10) == 2
    meta = app.results.meta(result.id)
    assert (meta["stamped_headers"], meta["tenant"]) == (["kind", "tenant"], ["north"])


def test_every_task_of_a_canvas_is_stamped(app, tasks, record, start_worker):
    sent = record(app)
    t = tasks
    canvas = chain(t.add.s(1, 1), chord([t.add.s(1), t.add.s(2)], t.sum_up.s()), t.add.s(1))
    canvas.stamp(Named())
    start_worker(app)
    assert canvas().get(timeout=10) == 8
    assert len(sent) == 5
    assert {message.headers["task"] for message in sent} == {"add", "sum_up"}
    for message in sent:
        assert message.headers["stamps"]["stamp"] == ["value"]
    body = next(message for message in sent if message.headers["task"] == "sum_up")
    assert body.headers["stamps"]["is_body"] == [True]
    assert [message.headers["stamps"].get("in_group") for message in sent].count([1]) == 2


def test_stamps_replace_each_other_or_add_up(tasks):
    found = tasks.add.s(1, 1).stamp(label="first").stamp(label="second")
    assert found.options == {"label": "second", "stamped_headers": ["label"]}
    found.stamp(append_stamps=True, label="third")
    assert found.options["label"] == ["second", "third"]


def test_links_may_be_stamped_by_themselves(tasks):
    found = tasks.add.s(1, 1)
    found.link(tasks.callback.s())
    found.stamp_links(Named())
    assert "stamped_headers" not in found.options
    assert found.options["link"][0].options["stamped_headers"] == ["linked", "stamp"]


def test_a_visitor_must_say_how_tasks_are_stamped():
    with pytest.raises(TypeError, match="on_signature"):
        StampingVisitor()
