"""The meta of a result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac import states
from celeriac.exceptions import ProtocolError
from celeriac.protocol import json
from celeriac.protocol.results import build_meta, read_meta

DONE = "2024-05-01T12:00:00+00:00"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class TestWriting:
    def test_a_success_has_the_six_keys(self) -> None:
        assert build_meta("id", states.SUCCESS, 5, date_done=DONE) == {
            "status": "SUCCESS",
            "result": 5,
            "traceback": None,
            "children": None,
            "date_done": DONE,
            "task_id": "id",
        }

    def test_group_and_parent_are_there_only_where_there_are_any(self) -> None:
        meta = build_meta("id", states.SUCCESS, 5, group_id="g", parent_id="p", children=[[["c", "id"], None]])
        assert (meta["group_id"], meta["parent_id"], meta["children"]) == ("g", "p", [[["c", "id"], None]])

    @pytest.mark.parametrize("state", sorted(states.ALL_STATES | {"PROGRESS", "IGNORED"}))
    def test_a_date_is_kept_in_the_final_states_alone(self, state: str) -> None:
        kept = build_meta("id", state, None, date_done=DONE)["date_done"]
        assert kept == (DONE if state in {"SUCCESS", "FAILURE", "REVOKED"} else None)

    def test_a_date_may_be_a_datetime(self) -> None:
        assert build_meta("id", "SUCCESS", 1, date_done=datetime(2024, 5, 1, 12, tzinfo=UTC))["date_done"] == DONE

    def test_extended_fields_and_stamps_are_added_and_change_nothing_else(self) -> None:
        extended = {"name": "t", "args": [1], "retries": 0, "stamped_headers": ["tenant"], "tenant": "a", "status": "x"}
        meta = build_meta("id", "SUCCESS", 1, extended=extended)
        assert meta["status"] == "SUCCESS"
        assert (meta["name"], meta["tenant"], meta["stamped_headers"]) == ("t", "a", ["tenant"])


class TestReading:
    @given(st.text(min_size=1), st.sampled_from(sorted(states.ALL_STATES)), json_values, st.none() | st.text())
    def test_what_was_written_is_read(self, task_id: str, state: str, result: Any, traceback: str | None) -> None:
        meta = build_meta(task_id, state, result, traceback, date_done=DONE, group_id="g")
        if "__type__" not in repr(result):
            assert read_meta(json.loads(json.dumps(meta))) == meta

    def test_keys_that_are_absent_get_their_default(self) -> None:
        assert read_meta({"status": "SUCCESS", "result": 5}) == {
            "status": "SUCCESS",
            "result": 5,
            "traceback": None,
            "children": None,
            "date_done": None,
            "task_id": None,
        }

    @pytest.mark.parametrize(
        ("meta", "complaint"),
        [
            (None, "result: expected a map"),
            ([], "result: expected a map"),
            ("SUCCESS", "result: expected a map"),
            ({}, "'status': expected the name of a state, found nothing"),
            ({"status": 5}, "'status': expected"),
            ({"status": ""}, "'status': expected"),
            ({"status": "\ud800"}, "'status': expected"),
            ({"status": "S", 5: 1}, "names as keys"),
            ({"status": "S", "traceback": 5}, "'traceback': expected text or null"),
            ({"status": "S", "task_id": 5}, "'task_id'"),
            ({"status": "S", "group_id": []}, "'group_id'"),
            ({"status": "S", "parent_id": {}}, "'parent_id'"),
            ({"status": "S", "children": "ab"}, "'children': expected a list"),
            ({"status": "S", "date_done": 5}, "'date_done': expected ISO 8601 text"),
        ],
    )
    def test_of_another_shape_is_refused_by_name(self, meta: Any, complaint: str) -> None:
        with pytest.raises(ProtocolError, match=complaint):
            read_meta(meta)

    @given(
        json_values
        | st.dictionaries(
            st.sampled_from(["status", "result", "traceback", "children", "date_done", "task_id"]), json_values
        )
    )
    def test_of_any_json_is_read_or_refused(self, value: Any) -> None:
        try:
            assert isinstance(read_meta(value)["status"], str)
        except ProtocolError:
            return
