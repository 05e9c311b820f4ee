"""Random canvases: as plain specifications, so that a failing one can be read, and as signatures."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from celeriac import chain, chord, group

#: So many canvases per law, others in each run; 0 for the few, always the same, that the test suite has time for.
MORE = int(os.environ.get("CANVAS_LAWS") or 0)


def law(examples: int) -> settings:
    """The settings of a law that is tried with so many canvases, or with `MORE`.

    A failing canvas is made smaller only by `make laws`: each try of one that never ends takes seconds.
    """
    return settings(
        max_examples=MORE or examples,
        derandomize=not MORE,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if MORE else [])],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


LEAVES = st.one_of(
    st.tuples(st.just("add"), st.integers(-3, 3)),
    st.tuples(st.just("mul"), st.integers(-3, 3)),
    st.just(("identity",)),
    st.just(("sum_up",)),
    st.tuples(st.just("fail"), st.sampled_from(["first", "second"])),
)


def linked(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner,
        st.tuples(st.just("on_error"), inner, st.sampled_from("abc")),
        st.tuples(st.just("link"), inner, st.sampled_from("xyz")),
    )


def composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return linked(
        st.one_of(
            st.tuples(st.just("chain"), st.lists(inner, min_size=1, max_size=4)),
            st.tuples(st.just("group"), st.lists(inner, max_size=3)),
            st.tuples(st.just("chord"), st.lists(inner, max_size=3), inner),
            st.tuples(st.just("pipe"), inner, inner),
        )
    )


def deeper(depth: int) -> st.SearchStrategy[Any]:
    leaves = linked(LEAVES)
    return leaves if depth == 0 else st.one_of(leaves, composed(deeper(depth - 1)))


#: Canvases that are nested up to five deep.
CANVASES = composed(deeper(4))


def build(tasks: SimpleNamespace, spec: Any) -> Any:
    """The signature that a specification stands for."""
    kind, *parts = spec
    if kind == "chain":
        return chain(build(tasks, part) for part in parts[0])
    if kind == "group":
        return group(build(tasks, part) for part in parts[0])
    if kind == "chord":
        return chord([build(tasks, part) for part in parts[0]], build(tasks, parts[1]))
    if kind == "pipe":
        return build(tasks, parts[0]) | build(tasks, parts[1])
    if kind == "on_error":
        made = build(tasks, parts[0])
        made.link_error(tasks.errback.s(parts[1]))
        return made
    if kind == "link":
        made = build(tasks, parts[0])
        if made["subtask_type"] != "group":  # a group's callback is its first member's
            made.link(tasks.callback.s(parts[1]))
        return made
    return getattr(tasks, kind).s(*parts)


def law_holds(spec: Any, worker: Any, tasks: SimpleNamespace, diary: Any, outcome: Any, wait_until: Any) -> None:
    """What a worker makes of a canvas is what evaluating it here and now gives, with the same calls."""
    # Given a canvas, evaluated here and now, and nothing left of the example before
    wait_until(lambda: not worker.consumer.running)
    diary.take()
    canvas = build(tasks, spec)
    expected = outcome(canvas.apply((2,)))
    expected_calls = diary.take()

    # When it is sent to a worker
    result = canvas.apply_async((2,))

    # Then it ends in the same way
    assert outcome(result) == expected

    # And every task, every callback and every errback was called as often, with the same
    wait_until(lambda: sum(diary.calls.values()) >= sum(expected_calls.values()), message=f"{expected_calls} called")
    tasks.identity.delay(0).get(timeout=10)
    wait_until(lambda: not worker.consumer.running)
    calls = diary.take()
    calls.subtract(["('identity', 0)"])
    assert +calls == expected_calls
