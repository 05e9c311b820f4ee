"""What every kind of signature has: the same members, whichever kind it is."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from celeriac import chain, chord, chunks, group, xmap, xstarmap
from celeriac.canvas import Signature, _chord, maybe_signature

KINDS = {
    "task": (Signature, lambda t: t.add.s(1, 2), 3),
    "group": (group, lambda t: group(t.add.s(1, 2), t.add.s(3, 4)), [3, 7]),
    "chain": (chain, lambda t: chain(t.add.s(1, 2), t.mul.s(3)), 9),
    "chord": (_chord, lambda t: chord([t.add.s(1, 2), t.add.s(3, 4)], t.sum_up.s()), 10),
    "xmap": (xmap, lambda t: xmap(t.sum_up, [[1, 2], [3]]), [3, 3]),
    "xstarmap": (xstarmap, lambda t: xstarmap(t.add, [(1, 2), (3, 4)]), [3, 7]),
    "chunks": (chunks, lambda t: chunks(t.add, [(1, 2), (3, 4), (5, 6)], 2), [[3, 7], [11]]),
}
SENT = [name for name in KINDS if name not in {"group", "chunks"}]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def made(kind, tasks):
    return KINDS[kind][1](tasks)


@pytest.mark.covers(
    "canvas.Signature",
    "canvas.group",
    "canvas.chain",
    "canvas._chord",
    "canvas.xmap",
    "canvas.xstarmap",
    "canvas.chunks",
    "canvas.Signature.apply_async",
    "canvas.Signature.delay",
    "canvas.Signature.apply",
    "canvas.group.apply_async",
    "canvas.group.apply",
    "canvas.chain.apply_async",
    "canvas.chain.apply",
    "canvas._chord.apply_async",
    "canvas._chord.apply",
    "canvas.chunks.apply_async",
    "canvas.chunks.apply",
)
def test_it_gives_the_same_value_here_and_through_a_worker_however_it_is_sent(worker, made, kind):
    expected = KINDS[kind][2]
    assert made.apply().get() == expected
    assert made.apply_async().get(timeout=10) == expected
    assert made.delay().get(timeout=10) == expected
    assert (~made) == expected


@pytest.mark.covers(
    "canvas.Signature.task",
    "canvas.Signature.args",
    "canvas.Signature.kwargs",
    "canvas.Signature.options",
    "canvas.Signature.subtask_type",
    "canvas.Signature.immutable",
    "canvas.Signature.name",
)
def test_the_keys_of_the_wire_are_attributes_of_the_object_and_seen_on_the_class(made, kind):
    for key in ("task", "args", "kwargs", "options", "subtask_type", "immutable"):
        assert getattr(made, key) is made[key]
        assert hasattr(KINDS[kind][0], key)
    assert made.name == made["task"]
    made.options = {"queue": "q"}
    assert made["options"] == {"queue": "q"}
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = made.no_such_thing


@pytest.mark.covers("canvas.Signature.type", "canvas.Signature.app", "canvas.group.app", "canvas.chain.app")
@pytest.mark.covers("canvas._chord.app", "canvas.xmap.app", "canvas.xstarmap.app", "canvas.chunks.app")
def test_it_knows_its_app_and_the_task_that_it_names(made, app):
    assert made.app is app
    assert made.type is app.tasks[made.task]


@pytest.mark.covers(
    "canvas.Signature.from_dict",
    "canvas.group.from_dict",
    "canvas.chain.from_dict",
    "canvas._chord.from_dict",
    "canvas.xmap.from_dict",
    "canvas.xstarmap.from_dict",
    "canvas.chunks.from_dict",
)
def test_json_carries_it_and_it_is_of_the_same_kind_on_the_other_side(made, kind, app):
    made.set(priority=3, queue="q")
    back = Signature.from_dict(json.loads(json.dumps(made)), app=app)
    assert type(back) is KINDS[kind][0]
    assert json.loads(json.dumps(back)) == json.loads(json.dumps(made))
    assert type(type(back).from_dict(json.loads(json.dumps(made)), app=app)) is type(back)
    assert back.apply().get() == KINDS[kind][2]


@pytest.mark.covers(
    "canvas.Signature.clone",
    "canvas.Signature.partial",
    "canvas.group.clone",
    "canvas.chain.clone",
    "canvas._chord.clone",
)
@pytest.mark.covers("canvas.Signature.replace")
@pytest.mark.parametrize(
    "again",
    [
        lambda made: made.clone(),
        lambda made: made.partial(),
        lambda made: made.replace(),
        copy.copy,
        copy.deepcopy,
        lambda made: pickle.loads(pickle.dumps(made)),
    ],
    ids=["clone", "partial", "replace", "copy", "deepcopy", "pickle"],
)
def test_a_copy_is_equal_and_of_the_same_kind(made, kind, again):
    found = again(made)
    assert found == made
    assert found is not made
    assert type(found) is type(made)
    assert found.apply().get() == KINDS[kind][2]
    found.set(queue="other")
    assert "queue" not in made.options


@pytest.mark.covers("canvas.Signature.clone", "canvas.Signature.partial", "canvas.Signature.replace")
def test_a_copy_may_have_more_or_other_content(tasks):
    found = tasks.add.s(2).clone((1,), {"z": 3}, priority=4)
    assert (found.args, found.kwargs, found.options) == ((1, 2), {"z": 3}, {"priority": 4})
    assert tasks.add.s(2).partial((1,)).args == (1, 2)
    found = found.replace((7,), {"a": 1}, {"queue": "q"})
    assert (found.args, found.kwargs, found.options) == ((7,), {"a": 1}, {"queue": "q"})


@pytest.mark.covers(
    "canvas.Signature.freeze", "canvas.Signature.id", "canvas.Signature.root_id", "canvas.Signature.parent_id"
)
@pytest.mark.parametrize("kind", ["task", "xmap", "xstarmap"])
def test_one_task_is_frozen_with_the_ids_that_are_given(made):
    result = made.freeze("mine", root_id="root", parent_id="parent", group_id="g", group_index=3)
    assert (made.id, made.root_id, made.parent_id, result.id) == ("mine", "root", "parent", "mine")
    assert (made.options["group_id"], made.options["group_index"]) == ("g", 3)
    assert made.freeze().id == "mine"


@pytest.mark.covers("canvas.Signature.AsyncResult")
def test_it_gives_the_result_of_an_earlier_call(worker, made, kind):
    if kind in SENT:
        sent = made.apply_async()
        assert made.AsyncResult(sent.id).get(timeout=10) == KINDS[kind][2]
    assert made.AsyncResult("some-id").id == "some-id"


@pytest.mark.covers("canvas.Signature.set", "canvas.Signature.append_to_list_option")
@pytest.mark.covers("canvas.Signature.extend_list_option")
def test_options_are_set_and_lists_of_them_grow(made, tasks):
    assert made.set(countdown=1).set(expires=60) is made
    assert (made.options["countdown"], made.options["expires"]) == (1, 60)
    assert made.append_to_list_option("tags", "a") == "a"
    made.append_to_list_option("tags", "a")
    made.extend_list_option("tags", ["b", "c"])
    made.extend_list_option("tags", "d")
    assert made.options["tags"] == ["a", "b", "c", "d"]


@pytest.mark.covers(
    "canvas.Signature.set_immutable",
    "canvas.group.set_immutable",
    "canvas.chain.set_immutable",
    "canvas._chord.set_immutable",
)
@pytest.mark.parametrize(("kind", "expected"), [("task", 3), ("group", [3, 7]), ("chain", 9), ("chord", 10)], ids=str)
def test_an_immutable_one_takes_nothing_from_what_comes_before(worker, tasks, made, expected):
    made.set_immutable(True)
    assert chain(tasks.identity.s(99), made).apply_async().get(timeout=10) == expected
    assert made.set(immutable=True) is made


@pytest.mark.covers(
    "canvas.Signature.link", "canvas.chain.link", "canvas._chord.link", "canvas.Signature.flatten_links"
)
@pytest.mark.parametrize("kind", SENT)
def test_a_callback_is_called_once_with_the_value(worker, made, kind, tasks, diary, wait_until):
    callback = tasks.callback.s("linked")
    assert made.link(callback) == callback
    made.link(tasks.callback.s("linked"))
    assert made.flatten_links() == [made, callback]
    made.apply_async().get(timeout=10)
    expected = str(("callback", "linked", KINDS[kind][2]))
    wait_until(lambda: diary.calls[expected] == 1, message=f"{expected} in {diary.calls}")
    tasks.identity.delay(0).get(timeout=10)
    assert diary.calls[expected] == 1


@pytest.mark.covers("canvas.Signature.flatten_links")
def test_callbacks_of_callbacks_are_flattened(tasks):
    inner, outer = tasks.callback.s("inner"), tasks.callback.s("outer")
    outer.link(inner)
    found = tasks.add.s(1, 1)
    found.link(outer)
    assert [each.args for each in found.flatten_links()] == [(1, 1), ("outer",), ("inner",)]


@pytest.mark.covers("canvas.group.link")
def test_a_groups_callback_is_its_first_members(worker, tasks, diary, wait_until):
    @tasks.add.app.task(name="called")
    def called(*args):
        diary.note("called", args)

    found = group(tasks.add.s(1, 1), tasks.add.s(2, 2))
    found.link(called.s())
    assert found.apply_async().get(timeout=10) == [2, 4]
    wait_until(lambda: diary.calls["('called', ())"] == 1)


FAILING = {
    "task": lambda t: t.fail.s(1),
    "group": lambda t: group(t.fail.s(1), t.identity.s(2)),
    "chain": lambda t: chain(t.identity.s(1), t.fail.s(), t.identity.s()),
    "chord of a failing header": lambda t: chord([t.fail.s(1), t.identity.s(2)], t.sum_up.s()),
    "chord of a failing body": lambda t: chord([t.identity.s(2)], t.fail.s()),
    "xmap": lambda t: xmap(t.fail, [1]),
    "xstarmap": lambda t: xstarmap(t.fail, [(1,)]),
}


@pytest.mark.covers(
    "canvas.Signature.link_error",
    "canvas.Signature.on_error",
    "canvas.group.link_error",
    "canvas.chain.link_error",
    "canvas._chord.link_error",
)
@pytest.mark.parametrize("name", FAILING)
def test_an_errback_is_called_once_for_whatever_fails(worker, tasks, diary, wait_until, name):
    failing = FAILING[name](tasks)
    errback = tasks.errback.s("told")
    assert failing.link_error(errback) in (errback, (errback, errback))
    assert failing.on_error(errback) is failing  # the same once more
    result = failing.apply_async()
    for each in getattr(result, "results", [result]):
        each.get(timeout=10, propagate=False)
    wait_until(lambda: any("told" in call for call in diary.calls))
    wait_until(lambda: not worker.consumer.running)
    tasks.identity.delay(0).get(timeout=10)
    assert [count for call, count in diary.calls.items() if "'errback', 'told'" in call] == [1]


@pytest.mark.covers(
    "canvas.Signature.reprcall",
    "canvas.group.reprcall",
    "canvas.chain.reprcall",
    "canvas._chord.reprcall",
    "canvas.xmap.reprcall",
    "canvas.xstarmap.reprcall",
    "canvas.chunks.reprcall",
)
@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("task", "add(1, 2)"),
        ("group", "group((add(1, 2), add(3, 4)))"),
        ("chain", "add(1, 2) | mul(3)"),
        ("chord", "%sum_up([add(1, 2), add(3, 4)])"),
        ("xmap", "[sum_up(x) for x in [[1, 2], [3]]]"),
        ("xstarmap", "[add(*x) for x in [(1, 2), (3, 4)]]"),
    ],
    ids=lambda value: value,
)
def test_it_is_shown_as_python_would_write_it(made, shown):
    assert repr(made) == made.reprcall() == shown


@pytest.mark.covers("canvas.Signature.reprcall")
def test_it_is_shown_with_arguments_before_its_own(tasks):
    assert tasks.add.s(2).reprcall(1, z=3) == "add(1, 2, z=3)"


@pytest.mark.covers("canvas.Signature.TYPES", "canvas.Signature.register_type")
def test_a_kind_of_ones_own_is_read_from_the_wire(tasks, app):
    @Signature.register_type("twice")
    class Twice(Signature):
        @classmethod
        def from_dict(cls, d, app=None):
            return cls(d["task"], d["args"], subtask_type="twice", app=app)

        def apply(self, args=(), kwargs=None, **options):
            return super().apply((*args, *self.args)[:1] * 2, **options)

    try:
        assert Signature.TYPES["twice"] is Twice
        wire = json.loads(json.dumps(Twice("add", (4,), subtask_type="twice")))
        found = maybe_signature(wire, app)
        assert type(found) is Twice
    finally:
        del Signature.TYPES["twice"]
    assert {"chain", "group", "chord", "xmap", "xstarmap", "chunks"} <= Signature.TYPES.keys()


@pytest.mark.covers("canvas.Signature.stamp", "canvas.Signature.stamp_links")
def test_a_stamp_is_on_every_task_that_is_sent(app, made, record):
    sent = record(app)
    assert made.stamp(tenant="north") is made
    made.apply_async()
    assert sent
    for message in sent:
        assert message.headers["stamps"] == {"tenant": ["north"]}


@pytest.mark.covers("canvas.Signature.election")
def test_an_election_asks_the_workers_and_gives_the_result(tasks, monkeypatch):
    asked = []
    monkeypatch.setattr(tasks.add.app.control, "election", lambda *args, **kwargs: asked.append((args, kwargs)))
    result = tasks.add.s(1, 2).election()
    [((task_id, topic, action), _)] = asked
    assert (task_id, topic) == (result.id, "task")
    assert (action.id, action.args) == (result.id, (1, 2))


@pytest.mark.covers("canvas.group.tasks", "canvas.chain.tasks", "canvas._chord.tasks", "canvas._chord.body")
def test_composites_give_their_parts(tasks):
    first, second, last = tasks.add.s(1, 2), tasks.add.s(3), tasks.sum_up.s()
    assert group(first, second).tasks == [first, second]
    assert chain(first, second).tasks == [first, second]
    found = chord([first, second], last)
    assert (list(found.tasks), found.body) == ([first, second], last)
    found.body, found.tasks = second, [first]
    assert repr(found) == "%add([add(1, 2)], 3)"


@pytest.mark.covers("canvas.group.skew")
def test_members_are_skewed_one_after_the_other(tasks):
    found = group(tasks.add.s(n, n) for n in range(4))
    assert [each.options["countdown"] for each in found.skew().tasks] == [1.0, 2.0, 3.0, 4.0]
    assert [each.options["countdown"] for each in found.skew(start=2, stop=5, step=2).tasks] == [2.0, 4.0, 4.0, 4.0]


@pytest.mark.covers("canvas.group.freeze", "canvas.chain.freeze", "canvas._chord.freeze")
def test_a_composite_is_frozen_with_all_that_is_in_it(tasks):
    for made in (
        chain(tasks.add.s(1, 1), tasks.add.s(2)),
        group(tasks.add.s(1, 1), tasks.add.s(2, 2)),
        chord([tasks.add.s(1, 1)], tasks.sum_up.s()),
    ):
        assert made.freeze().as_tuple() == made.freeze().as_tuple()


@pytest.mark.covers("canvas.chain.run", "canvas.chain.prepare_steps", "canvas.chain.unchain_tasks", "canvas._chord.run")
def test_steps_and_chords_can_be_prepared_and_run_by_hand(worker, tasks):
    t = tasks
    steps, results = chain().prepare_steps((1,), {}, [t.add.s(1), t.add.s(2)], "root", None, None, None, "last")
    assert [repr(step) for step in steps] == ["add(2)", "add(1)"]
    assert [step.root_id for step in steps][-1] == "root"
    assert (results[0].id, len(results)) == ("last", 2)
    found = chain(t.add.s(1), t.add.s(2))
    assert [repr(step) for step in found.on_error(t.errback.s()).unchain_tasks()] == ["add(1)", "add(2)"]
    assert all(step.options["link_error"] for step in found.unchain_tasks())
    result = found.run((1,), None, None, None, "by-hand")
    assert (result.id, result.get(timeout=10)) == ("by-hand", 4)
    assert chord([]).run([t.add.s(1, 1)], t.sum_up.s(), (), None, 1, 1, task_id="body").get(timeout=10) == 2
    assert chord([]).run([t.add.s(1)], t.sum_up.s(), (1,), eager=True).get() == 2


@pytest.mark.covers("canvas.chunks.group", "canvas.chunks.apply_chunks")
def test_chunks_are_a_group_of_parts(worker, tasks):
    found = tasks.add.chunks([(n, n) for n in range(5)], 2)
    assert [len(part.kwargs["it"]) for part in found.group().tasks] == [2, 2, 1]
    result = chunks.apply_chunks(tasks.add.s(), [(1, 1), (2, 2)], 1, app=tasks.add.app)
    assert result.get(timeout=10) == [[2], [4]]


def test_a_group_of_a_big_generator_leaves_as_one_batch_and_comes_back_in_order(worker, tasks):
    result = group(tasks.add.s(n, 1) for n in range(3000)).apply_async()
    assert result.get(timeout=50) == list(range(1, 3001))


@pytest.mark.parametrize("compat", [True, False], ids=["Celery's form", "short form"])
def test_the_tasks_of_a_header_may_ignore_their_results(app, worker, tasks, compat):
    app.conf.task_protocol_compat = compat

    @app.task(name="quiet", ignore_result=True)
    def quiet(x):
        return x

    result = chord([quiet.s(1), quiet.s(2), chain(quiet.s(3), quiet.s())], tasks.identity.s()).apply_async()
    assert result.get(timeout=10) == [1, 2, 3]
    metas = app.results.fetch([member.id for member in result.parent.results])
    assert {meta["status"] for meta in metas.values()} <= {"PENDING"}  # a step that was kept is there


def test_parents_lead_from_the_last_result_to_the_first(worker, tasks):
    t = tasks
    result = chain(t.identity.s(1), group(t.add.s(1), t.add.s(2)), t.sum_up.s(), group(t.add.s(1), t.mul.s(2)))()
    assert result.get(timeout=10) == [6, 10]
    assert result.parent.get(timeout=10) == 5
    assert result.parent.parent.get(timeout=10) == [2, 3]
    assert result.parent.parent.parent.get(timeout=10) == 1
    assert result.parent.parent.parent.parent is None
