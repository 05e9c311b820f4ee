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


@pytest.mark.covers(
    "canvas.StampingVisitor", "canvas.StampingVisitor.on_signature", "canvas.StampingVisitor.on_callback"
)
@pytest.mark.covers("canvas.StampingVisitor.on_errback", "canvas.StampingVisitor.on_chain_start")
@pytest.mark.covers("canvas.StampingVisitor.on_group_start", "canvas.StampingVisitor.on_chord_body")
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


class Everywhere(StampingVisitor):
    """Notes when it is called, and stamps with the names of all that it has been told of."""

    def __init__(self):
        self.seen = []

    def note(self, where, sig, given):
        self.seen.append((where, given.get("label")))
        return {"label": where, "stamped_headers": ["label"]}

    def on_signature(self, sig, **headers):
        self.seen.append((f"task {sig.task}", headers.get("label")))
        return {}

    def on_group_start(self, group, **headers):
        return self.note("group", group, headers)

    def on_group_end(self, group, **headers):
        self.seen.append(("end of group", headers.get("label")))

    def on_chain_start(self, chain, **headers):
        return self.note("chain", chain, headers)

    def on_chain_end(self, chain, **headers):
        self.seen.append(("end of chain", headers.get("label")))

    def on_chord_header_start(self, sig, **header):
        return self.note("header", sig, header)

    def on_chord_header_end(self, sig, **header):
        self.seen.append(("end of header", header.get("label")))

    def on_chord_body(self, sig, **header):
        return self.note("body", sig, header)

    def on_callback(self, callback, **header):
        return self.note("callback", callback, header)

    def on_errback(self, errback, **header):
        return self.note("errback", errback, header)


@pytest.mark.covers("canvas.StampingVisitor.on_group_end", "canvas.StampingVisitor.on_chain_end")
@pytest.mark.covers("canvas.StampingVisitor.on_chord_header_start", "canvas.StampingVisitor.on_chord_header_end")
def test_a_visitor_goes_through_nested_canvases_in_order_and_stamps_go_inwards(tasks):
    t, visitor = tasks, Everywhere()
    inner = chord([t.add.s(1), chain(t.mul.s(2), t.mul.s(3))], t.sum_up.s())
    canvas = chain(t.identity.s(1), inner, group(t.add.s(4), t.add.s(5)))
    canvas.stamp(visitor)
    assert visitor.seen == [
        ("chain", None),
        ("task identity", "chain"),
        ("header", "chain"),
        ("task add", "header"),
        ("chain", "header"),
        ("task mul", "chain"),
        ("task mul", "chain"),
        ("end of chain", "header"),
        ("end of header", "chain"),
        ("body", "chain"),
        ("task sum_up", "body"),
        ("group", "chain"),
        ("task add", "group"),
        ("task add", "group"),
        ("end of group", "chain"),
        ("end of chain", None),
    ]
    assert [member.options["label"] for member in canvas.tasks[2].tasks] == ["group", "group"]
    assert canvas.tasks[1].body.options["label"] == "body"


def test_every_callback_and_errback_is_stamped_however_deep_it_hangs(tasks):
    t, visitor = tasks, Everywhere()
    innermost = t.callback.s("innermost")
    callback = chain(t.callback.s("a"), t.callback.s("b").on_error(t.errback.s("deep")))
    callback.tasks[0].link(innermost)
    canvas = chord([t.add.s(1, 1).on_error(t.errback.s("header"))], t.sum_up.s().on_error(t.errback.s("body")))
    canvas.link(callback)
    canvas.stamp(visitor)
    linked = canvas.options["link"][0]
    assert [each.options["label"] for each in linked.tasks] == ["chain", "chain"]
    assert linked.tasks[0].options["link"][0].options["label"] == "callback"
    assert linked.tasks[1].options["link_error"][0].options["label"] == "errback"
    assert canvas.tasks[0].options["link_error"][0].options["label"] == "errback"
    assert canvas.body.options["link_error"][0].options["label"] == "errback"


def test_a_task_that_runs_where_it_is_called_sees_its_stamps(app):
    @app.task(bind=True)
    def look(self):
        return self.request.stamped_headers, self.request.stamps

    assert look.s().stamp(tenant="north").apply().get() == (["tenant"], {"tenant": ["north"]})
    assert look.apply().get() == (None, None)
