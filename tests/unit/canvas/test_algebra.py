"""What ``|`` makes of two signatures, whatever they are."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from celeriac import chain, chord, chunks, group, xmap
from celeriac.canvas.signature import Signature


@pytest.mark.parametrize(
    ("make", "kind", "shown"),
    [
        (lambda t: t.add.s(1, 1) | t.add.s(2), chain, "add(1, 1) | add(2)"),
        (lambda t: t.identity.s(1) | (t.identity.s() | t.add.s(1)), chain, "identity(1) | identity() | add(1)"),
        (lambda t: t.identity.s(1) | t.add.s(1) | t.add.s(2), chain, "identity(1) | add(1) | add(2)"),
        (lambda t: group(t.identity.s(1), t.add.s(1)) | t.sum_up.s(), chord, "%sum_up([identity(1), add(1)])"),
        (lambda t: group(t.add.s(1, 1)) | t.add.s(2), chord, "%add([add(1, 1)], 2)"),
        (lambda t: t.add.s(1, 1) | group(t.add.s(2)), chain, "add(1, 1) | add(2)"),
        (lambda t: t.identity.s(1) | group(t.add.s(2), t.add.s(3)), chain, "identity(1) | group((add(2), add(3)))"),
        (
            lambda t: group(t.identity.s(1), t.identity.s(2)) | group(t.identity.s(), t.sum_up.s()),
            chord,
            "%group((identity(), sum_up()))",
        ),
        (lambda t: chord([t.identity.s(1)], t.sum_up.s()) | t.add.s(1), chord, "%sum_up([identity(1)]) | add(1)"),
        (
            lambda t: t.identity.s(1) | chord([t.identity.s(), t.add.s(1)], t.sum_up.s()),
            chain,
            "identity(1) | %sum_up([identity(), add(1)])",
        ),
        (
            lambda t: chain(t.identity.s(1), group(t.add.s(1), t.add.s(2)), t.sum_up.s(), t.add.s(1)),
            chain,
            "identity(1) | %sum_up([add(1), add(2)]) | add(1)",
        ),
        (lambda t: chord([t.identity.s(1)]) | t.sum_up.s(), chord, "%sum_up([identity(1)])"),
        (lambda t: xmap(t.identity, [1, 2]) | t.sum_up.s(), chain, "[identity(x) for x in [1, 2]] | sum_up()"),
        (lambda t: chunks(t.add, [(1, 2)], 1) | t.sum_up.s(), chord, "%sum_up([[add(*x) for x in [(1, 2)]]])"),
    ],
)
def test_two_signatures_make_one(tasks, make, kind, shown):
    made = make(tasks)
    assert type(made) is kind
    assert repr(made) == shown


def test_what_is_piped_is_not_changed(tasks):
    first, second, third = tasks.add.s(1, 1), tasks.add.s(2), group(tasks.add.s(3), tasks.add.s(4))
    piped = first | second
    before = [json.dumps(each) for each in (first, second, third, piped)]
    _ = piped | third | tasks.sum_up.s() | tasks.add.s(1)
    assert [json.dumps(each) for each in (first, second, third, piped)] == before


def test_only_signatures_can_be_piped(tasks):
    with pytest.raises(TypeError, match="unsupported operand"):
        tasks.add.s(1) | 5


def test_an_augmented_pipe_makes_a_new_one(tasks):
    made = first = tasks.add.s(1, 1)
    made |= tasks.add.s(2)
    assert repr(made) == "add(1, 1) | add(2)"
    assert repr(first) == "add(1, 1)"


def test_a_chain_keeps_what_it_knew_where_it_belongs(tasks):
    # Given a chain with options, arguments and errbacks of its own
    inner = chain(tasks.add.s(1), tasks.add.s(2)).set(countdown=5)
    inner.link_error(tasks.errback.s())
    inner.link(tasks.callback.s())

    # When it becomes a part of another one
    steps = chain(tasks.identity.s(1), inner, tasks.add.s(3)).tasks

    # Then its first step has the options, its last one the callback, and each of them the errback
    assert [step.options.get("countdown") for step in steps] == [None, 5, None, None]
    assert ["link" in step.options for step in steps] == [False, False, True, False]
    assert ["link_error" in step.options for step in steps] == [False, True, True, False]
    assert inner.tasks[0].options == {}


def test_a_chain_is_shown_with_arguments_for_its_first_step(tasks):
    made = chain(tasks.add.s(1), tasks.add.s(2))
    assert made.reprcall(5) == "add(5, 1) | add(2)"
    assert repr(chain()) == "<chain: empty>"
    assert len(made) == 2
    assert [repr(step) for step in made.unchain_tasks()] == ["add(1)", "add(2)"]


def test_generators_are_read_once_when_it_is_made(tasks):
    made = chain(tasks.add.s(number) for number in range(1, 4))
    assert made.apply((1,)).get() == 7
    assert made.apply((1,)).get() == 7
    assert group(tasks.add.s(number, 0) for number in range(3)).apply().get() == [0, 1, 2]
    assert chord((tasks.add.s(n, 0) for n in range(3)), tasks.sum_up.s()).apply().get() == 3


def test_kinds_register_themselves():
    assert {"chain", "group", "chord"} <= Signature.TYPES.keys()


# -- compared with Celery ----------------------------------------------------------------------------------------------

DATA = Path(__file__).parents[2] / "data"
#: What `canvas_algebra.py` prints where Celery 5.7 is installed.
CELERYS = json.loads((DATA / "canvas-algebra.json").read_text())
#: Where we agree to differ, as docs/explanation/differences.md says.
AGREED = {
    # Chunks are a group, and what follows them gets their results; to Celery they are a task that returns ids.
    **{pair: "chunks" for pair in CELERYS if "chunks" in pair.split(" | ")},
    # What ends with a group goes on as a group does, also where the chord that it belongs to was written as a chord.
    "chord that ends with a group | one-member group": "a list",
    "chord that ends with a group | empty group": "nothing",
    "chain that begins with a group | empty group": "nothing",
    "empty chain | empty group": "an empty list",
}


def steps_of(shape):
    """The structure without its spelling: a chord is a group with something after it, a chain in a chain its steps."""
    if not isinstance(shape, dict):
        return [shape]
    if "chain" in shape:
        return [step for each in shape["chain"] for step in steps_of(each)]
    members = shape["group"] if "group" in shape else shape["chord"]
    return [[steps_of(member) for member in members], *(steps_of(shape["body"]) if "chord" in shape else ())]


@pytest.fixture
def ours(make_app, monkeypatch):
    """What we make of the pairs, by the program that wrote down what Celery does."""
    import celeriac

    monkeypatch.setitem(sys.modules, "celery", celeriac)
    spec = importlib.util.spec_from_file_location("canvas_algebra", DATA / "canvas_algebra.py")
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program.table(program.defined(make_app("algebra", set_as_current=True)))


def test_all_pairs_of_kinds_make_what_celery_makes(ours):
    assert ours.keys() == CELERYS.keys()
    differing = {pair for pair in CELERYS if steps_of(ours[pair]) != steps_of(CELERYS[pair])}
    assert differing == AGREED.keys()
