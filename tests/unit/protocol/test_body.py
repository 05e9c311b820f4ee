"""The body of a task message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.exceptions import ProtocolError
from celeriac.protocol import json
from celeriac.protocol.body import TaskBody, decode_body, encode_body

NO_EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
SIGNATURE = {
    "task": "tasks.log",
    "args": [],
    "kwargs": {},
    "options": {"task_id": "x"},
    "subtask_type": None,
    "immutable": False,
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
tasks = st.fixed_dictionaries(
    {"task": st.text(min_size=1).filter(lambda name: not name.startswith("celery."))},
    optional={
        "args": st.lists(st.integers()),
        "kwargs": st.dictionaries(st.text(), st.integers()),
        "options": st.dictionaries(st.sampled_from(["task_id", "queue"]), st.text()),
        "subtask_type": st.none() | st.just("of-an-application"),
        "immutable": st.booleans(),
        "chord_size": st.none() | st.integers(),
    },
)
signatures = st.recursive(
    tasks,
    lambda inner: st.fixed_dictionaries(
        {
            "task": st.text(min_size=1),
            "kwargs": st.fixed_dictionaries({"tasks": st.lists(inner, max_size=3)}),
            "subtask_type": st.sampled_from(["chain", "group"]),
        }
    ),
    max_leaves=4,
)
arguments = st.lists(json_values.filter(lambda value: "__type__" not in repr(value)), max_size=4)
keywords = st.dictionaries(st.text(), json_values, max_size=4).filter(lambda value: "__type__" not in repr(value))


class TestWriting:
    def test_a_plain_call_is_args_kwargs_and_the_four_keys(self) -> None:
        assert json.loads(json.dumps(encode_body((2, 3), {"x": 1}))) == [[2, 3], {"x": 1}, NO_EMBED]

    @given(
        arguments,
        keywords,
        st.none() | st.lists(signatures),
        st.none() | st.lists(signatures),
        st.none() | st.lists(signatures),
        st.none() | signatures,
    )
    def test_what_was_written_is_read(
        self, args: Any, kwargs: Any, callbacks: Any, errbacks: Any, chain: Any, chord: Any
    ) -> None:
        wire = json.dumps(encode_body(tuple(args), kwargs, callbacks, errbacks, chain, chord))
        assert decode_body(json.loads(wire)) == TaskBody(args, kwargs, callbacks, errbacks, chain, chord)


class TestReading:
    def test_no_embed_is_accepted(self) -> None:
        assert decode_body([[1], {"a": 2}, None]) == TaskBody([1], {"a": 2})

    def test_an_empty_embed_is_accepted(self) -> None:
        assert decode_body([[1], {}, {}]) == TaskBody([1], {})

    def test_unknown_keys_of_the_embed_are_tolerated(self) -> None:
        assert decode_body([[], {}, {**NO_EMBED, "later": object()}]) == TaskBody([], {})

    def test_unknown_keys_of_a_signature_are_kept(self) -> None:
        signature = {**SIGNATURE, "chord_size": 3, "later": 1}
        assert decode_body([[], {}, {**NO_EMBED, "chord": signature}]).chord == signature

    def test_tuples_of_other_serializers_are_read_as_lists(self) -> None:
        body = decode_body(((1, 2), {}, {**NO_EMBED, "callbacks": (SIGNATURE,)}))
        assert body.args == [1, 2]
        assert body.callbacks == [SIGNATURE]

    def test_one_lone_callback_becomes_a_list(self) -> None:
        assert decode_body([[], {}, {"callbacks": SIGNATURE}]).callbacks == [SIGNATURE]

    def test_the_hybrid_map_is_accepted(self) -> None:
        body = {"args": [1], "kwargs": {"a": 2}, "task": "t", "id": "i", "errbacks": [SIGNATURE], "chord": None}
        assert decode_body(body) == TaskBody([1], {"a": 2}, errbacks=[SIGNATURE])

    def test_null_arguments_are_none(self) -> None:
        assert decode_body([None, None, None]) == TaskBody([], {})


class TestHostileBodies:
    @pytest.mark.parametrize(
        ("body", "complaint"),
        [
            (None, "task body: expected .* found nothing"),
            (5, "task body: expected .* found int 5"),
            ("abc", "task body: expected .* found str 'abc'"),
            (b"abc", "task body: expected"),
            ([], "expected the 3 elements .* found 0"),
            ([[], {}], "found 2"),
            ([[], {}, None, None], "found 4"),
            ({}, "or a map with 'args'"),
            ({"kwargs": {}}, "or a map with 'args'"),
            (["ab", {}, None], "args: expected a list, found str 'ab'"),
            ([{"a": 1}, {}, None], "args: expected a list, found dict"),
            ([[], [], None], "kwargs: expected a map, found list"),
            ([[], "ab", None], "kwargs: expected a map"),
            ([[], {1: 2}, None], "kwargs: expected names as keys, found int 1"),
            ([[], {}, []], "embed: expected a map or null, found list"),
            ([[], {}, 0], "embed: expected"),
            ([[], {}, {"callbacks": 5}], "callbacks: expected a list of signatures"),
            ([[], {}, {"callbacks": "ab"}], "callbacks: expected a list of signatures"),
            ([[], {}, {"errbacks": [None]}], r"errbacks\[0\]: expected a signature"),
            ([[], {}, {"chain": [SIGNATURE, "tasks.add"]}], r"chain\[1\]: expected a signature"),
            ([[], {}, {"chain": [{}]}], r"chain\[0\].task: expected the name of a task, .* found nothing"),
            ([[], {}, {"chord": [SIGNATURE]}], "chord: expected a signature"),
            ([[], {}, {"chord": {"task": ""}}], r"chord.task: expected the name"),
            ([[], {}, {"chord": {"task": "t", "args": {}}}], r"chord.args: expected a list"),
            ([[], {}, {"chord": {"task": "t", "kwargs": []}}], r"chord.kwargs: expected a map"),
            ([[], {}, {"chord": {"task": "t", "options": 5}}], r"chord.options: expected a map"),
            ([[], {}, {"chord": {"task": "t", "subtask_type": 5}}], r"chord.subtask_type: expected a string"),
        ],
    )
    def test_are_refused_with_what_was_expected_and_found(self, body: Any, complaint: str) -> None:
        with pytest.raises(ProtocolError, match=complaint):
            decode_body(body)

    def test_are_never_dumped_into_the_message(self) -> None:
        with pytest.raises(ProtocolError) as caught:
            decode_body([["secret" * 1000] * 1000] * 1000)
        assert len(str(caught.value)) < 300
        with pytest.raises(ProtocolError) as caught:
            decode_body("secret" * 1000)
        assert len(str(caught.value)) < 300

    @given(
        json_values
        | st.lists(json_values, min_size=3, max_size=3)
        | st.tuples(
            json_values | st.just([]),
            json_values | st.just({}),
            st.dictionaries(
                st.sampled_from(["callbacks", "errbacks", "chain", "chord"]),
                json_values | signatures | st.lists(json_values | signatures),
            ),
        )
        | st.dictionaries(st.sampled_from(["args", "kwargs", "callbacks", "chord"]), json_values)
    )
    def test_of_any_json_are_read_or_refused(self, body: Any) -> None:
        try:
            read = decode_body(body)
        except ProtocolError:
            return
        assert isinstance(read.args, list)
        assert isinstance(read.kwargs, dict)
