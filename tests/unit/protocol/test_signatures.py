"""Maps that are signatures, and those that are damaged."""

from __future__ import annotations

from typing import Any

import pytest

from celeriac.exceptions import ProtocolError
from celeriac.protocol.signatures import MAX_NESTED, check_signature, signatures

ONE = {"task": "t", "args": [1], "kwargs": {"x": 2}, "options": {"task_id": "i"}, "subtask_type": None}


def made_of(kind: str, **parts: Any) -> dict[str, Any]:
    return {"task": f"celery.{kind}", "args": [], "kwargs": parts, "options": {}, "subtask_type": kind}


def calling(name: str, **parts: Any) -> dict[str, Any]:
    return {"task": f"celery.{name}", "args": [], "kwargs": parts, "options": {}, "subtask_type": None}


def with_options(**options: Any) -> dict[str, Any]:
    return {**ONE, "options": options}


WHOLE = [
    ONE,
    {"task": "t"},
    {"task": "t", "args": None, "kwargs": None, "options": None, "subtask_type": None, "immutable": None},
    {"task": "t", "args": (1,), "subtask_type": "of-an-application", "kwargs": {"tasks": 5}},
    with_options(link=None, link_error=[], chain=None, chord=None, stamped_headers=None, headers=None, kept=None),
    with_options(link=ONE, link_error=[ONE, made_of("group", tasks=[])], chain=[ONE], chord=made_of("chain", tasks=[])),
    with_options(stamped_headers={"a"}, group_index=0, headers={}, replaced_task_nesting=1, countdown="later"),
    with_options(kept=True, task_id="i"),
    made_of("group", tasks=(ONE, made_of("chain", tasks=[ONE, ONE], kwargs=None))),
    made_of("chain", tasks=[], kwargs={"first": 1}),
    made_of("chord", header=[ONE, ONE], body=ONE, kwargs={}),
    made_of("chord", header=made_of("group", tasks=[ONE]), body=None),
    made_of("chord", header=ONE),
    calling("map", task=ONE, it=[1, 2]),
    calling("starmap", task="t", it=()),
    calling("chunks", task=made_of("chain", tasks=[ONE]), it=range(3), n=2),
    made_of("xmap", task=ONE, it=[]),
]


@pytest.mark.parametrize("value", WHOLE, ids=repr)
def test_what_clients_write_is_accepted(value):
    check_signature(value, "it")


DAMAGED = [
    (5, "it: expected a signature .a map., found int 5"),
    ({}, "it.task: expected the name of a task, of 1 to 512 characters, found nothing"),
    ({"task": ["t"]}, "it.task: expected the name"),
    ({"task": "t" * 513}, "it.task: expected the name"),
    ({"task": "\ud800"}, "it.task: expected the name"),
    ({"task": "t", "args": {"a": 1}}, "it.args: expected a list, found dict"),
    ({"task": "t", "args": "ab"}, "it.args: expected a list"),
    ({"task": "t", "kwargs": [["a", 1]]}, "it.kwargs: expected a map, found list"),
    ({"task": "t", "kwargs": 0}, "it.kwargs: expected a map, found int"),
    ({"task": "t", "kwargs": {1: 2}}, "it.kwargs: expected names as keys, found int 1"),
    ({"task": "t", "options": "ab"}, "it.options: expected a map"),
    ({"task": "t", "options": {b"link": 2}}, "it.options: expected names as keys"),
    ({"task": "t", "subtask_type": ["chain"]}, "it.subtask_type: expected a string or null"),
    (with_options(task_id=["i"]), "it.options.task_id: expected text of at most 512 characters, or null"),
    (with_options(group_id="g" * 513), "it.options.group_id: expected text"),
    (with_options(reply_to={}), "it.options.reply_to: expected text"),
    (with_options(link=5), "it.options.link: expected a signature"),
    (with_options(link=[ONE, {"task": ""}]), r"it.options.link\[1\].task: expected the name"),
    (with_options(link_error=[None]), r"it.options.link_error\[0\]: expected a signature"),
    (with_options(chain=ONE), "it.options.chain: expected a list of signatures, found dict"),
    (with_options(chord=[ONE]), "it.options.chord: expected a signature"),
    (with_options(stamped_headers=[["a"]]), "it.options.stamped_headers: expected a list of names"),
    (with_options(group_index="0"), "it.options.group_index: expected a whole number"),
    (with_options(replaced_task_nesting=-1), "it.options.replaced_task_nesting: expected a whole number"),
    (with_options(headers=[]), "it.options.headers: expected a map or null"),
    (with_options(args=[1]), "it.options.args: expected nothing, as arguments are beside the options, found list"),
    (with_options(kept=True), "it.options.task_id: expected the id under which the signature is kept, found nothing"),
    (made_of("group"), "it.kwargs.tasks: expected a list of signatures, found nothing"),
    ({"task": "t", "subtask_type": "chain"}, "it.kwargs.tasks: expected a list of signatures"),
    (made_of("chain", tasks={"a": ONE}), "it.kwargs.tasks: expected a list of signatures, found dict"),
    (made_of("chain", tasks=[ONE, "t"]), r"it.kwargs.tasks\[1\]: expected a signature"),
    (made_of("chain", tasks=[ONE], kwargs=[1]), "it.kwargs.kwargs: expected a map"),
    (made_of("chord", body=ONE), "it.kwargs.header: expected a group, or a list of signatures, found nothing"),
    (made_of("chord", header="ab", body=ONE), "it.kwargs.header: expected a group, or a list"),
    (made_of("chord", header=[[ONE]], body=ONE), r"it.kwargs.header\[0\]: expected a signature"),
    (made_of("chord", header=[], body=[ONE]), "it.kwargs.body: expected a signature"),
    (made_of("chord", header=made_of("group", tasks=3), body=ONE), "it.kwargs.header.kwargs.tasks: expected a list"),
    (calling("map", it=[1]), "it.kwargs.task: expected a signature"),
    (calling("starmap", task=ONE), "it.kwargs.it: expected a list, found nothing"),
    (calling("starmap", task=ONE, it="ab"), "it.kwargs.it: expected a list"),
    ({**calling("map", task=ONE), "subtask_type": "of-an-application"}, "it.kwargs.it: expected a list"),
    (calling("chunks", task=ONE, it=[1], n=0), "it.kwargs.n: expected a whole number from 1 to"),
    (calling("chunks", task=ONE, it=[1], n=10**30), "it.kwargs.n: expected a whole number from 1 to"),
    (calling("chunks", task=ONE, it=[1], n=True), "it.kwargs.n: expected a whole number from 1 to"),
]


@pytest.mark.parametrize(("value", "complaint"), DAMAGED, ids=[complaint for _, complaint in DAMAGED])
def test_what_is_damaged_is_named(value, complaint):
    with pytest.raises(ProtocolError, match=f"^{complaint}") as caught:
        check_signature(value, "it")
    assert "a signature is what task.s(...), group(...), chain(...) or chord(...) gives" in str(caught.value)


def test_one_of_a_list_is_named_by_its_place():
    with pytest.raises(ProtocolError, match=r"^callbacks\[1\].kwargs.tasks\[0\].args: expected a list, found int 7;"):
        signatures([ONE, made_of("group", tasks=[{"task": "t", "args": 7}])], "callbacks")


NESTINGS = {
    "group": lambda inner: made_of("group", tasks=[inner]),
    "chain": lambda inner: made_of("chain", tasks=[ONE, inner]),
    "header": lambda inner: made_of("chord", header=[inner], body=ONE),
    "body": lambda inner: made_of("chord", header=[], body=inner),
    "map": lambda inner: calling("map", task=inner, it=[]),
    "link": lambda inner: with_options(link=[inner]),
    "chain to follow": lambda inner: with_options(chain=[inner]),
    "chord": lambda inner: with_options(chord=inner),
}


@pytest.mark.parametrize("nesting", NESTINGS.values(), ids=NESTINGS)
def test_nesting_has_a_limit(nesting):
    # Given as many in each other as there may be
    value = ONE
    for _ in range(MAX_NESTED - 1):
        value = nesting(value)
    check_signature(value, "it")

    # When there is one more, then it is refused, with the two ends of its place
    value = nesting(value)
    with pytest.raises(ProtocolError, match="more than 166 signatures in each other are not read") as caught:
        check_signature(value, "it")
    assert len(str(caught.value)) < 400

    # And no depth is too much for whoever looks
    for _ in range(20_000):
        value = nesting(value)
    with pytest.raises(ProtocolError, match="more than 166 signatures in each other are not read"):
        check_signature(value, "it")
