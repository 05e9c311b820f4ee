"""The headers of a task message: the 19 keys to the letter, and what is read of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.exceptions import ProtocolError
from celeriac.protocol import json
from celeriac.protocol.origin import origin
from celeriac.protocol.task import HEADER_KEYS, HeaderPlan, TaskHeaders, build_headers, is_v2, read_headers

ID = "0b5e6d1e-6f5c-4b9e-8f7a-1c2d3e4f5a6b"
NAMED = {"task": "tasks.add", "id": ID}

#: The keys of protocol 2, written out so that the test does not repeat the code's own list.
NINETEEN = [
    "lang",
    "task",
    "id",
    "shadow",
    "eta",
    "expires",
    "group",
    "group_index",
    "retries",
    "timelimit",
    "root_id",
    "parent_id",
    "argsrepr",
    "kwargsrepr",
    "origin",
    "ignore_result",
    "replaced_task_nesting",
    "stamped_headers",
    "stamps",
]

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=512)
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=offsets)
limits = st.none() | st.integers(0, 10**6) | st.floats(0, 10**6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class TestWriting:
    def test_a_message_with_nothing_given_has_the_nineteen_keys(self) -> None:
        assert HeaderPlan("tasks.add", ignore_result=False).headers(ID, argsrepr="(2, 3)") == {
            "lang": "py",
            "task": "tasks.add",
            "id": ID,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": ID,
            "parent_id": None,
            "argsrepr": "(2, 3)",
            "kwargsrepr": "{}",
            "origin": origin(),
            "ignore_result": False,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
        }

    def test_the_list_of_keys_is_that_of_the_protocol(self) -> None:
        assert sorted(NINETEEN) == sorted(HEADER_KEYS)
        assert len(HEADER_KEYS) == 19

    def test_everything_given_is_in_its_place(self) -> None:
        plan = HeaderPlan("tasks.add", time_limit=30, soft_time_limit=20)
        found = plan.headers(
            ID,
            eta=datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            expires=datetime(2031, 1, 1),
            retries=2,
            group="g",
            group_index=0,
            root_id="r",
            parent_id="p",
            shadow="alias",
            stamped_headers=("tenant",),
            stamps={"tenant": "a"},
            replaced_task_nesting=1,
            ignore_result=True,
            origin="gen1@there",
            argsrepr="(…)",
            kwargsrepr="{…}",
            extra={"x-mine": 1, "lang": "xx"},
        )
        assert found == {
            "lang": "xx",
            "task": "tasks.add",
            "id": ID,
            "shadow": "alias",
            "eta": "2030-01-01T00:00:00+02:00",
            "expires": "2031-01-01T00:00:00+00:00",
            "group": "g",
            "group_index": 0,
            "retries": 2,
            "timelimit": [30, 20],
            "root_id": "r",
            "parent_id": "p",
            "argsrepr": "(…)",
            "kwargsrepr": "{…}",
            "origin": "gen1@there",
            "ignore_result": True,
            "replaced_task_nesting": 1,
            "stamped_headers": ["tenant"],
            "stamps": {"tenant": "a"},
            "x-mine": 1,
        }

    def test_the_hard_limit_comes_first(self) -> None:
        assert build_headers("t", ID, time_limit=9, soft_time_limit=5)["timelimit"] == [9, 5]

    def test_a_call_can_take_back_what_the_plan_says(self) -> None:
        plan = HeaderPlan("t", ignore_result=True, time_limit=9, soft_time_limit=5, shadow="s")
        found = plan.headers(ID, ignore_result=None, time_limit=None, soft_time_limit=1)
        assert (found["ignore_result"], found["timelimit"], found["shadow"]) == (None, [None, 1], "s")

    def test_two_messages_of_one_plan_share_nothing_that_can_change(self) -> None:
        plan = HeaderPlan("t")
        one, other = plan.headers("1"), plan.headers("2")
        one["stamps"]["a"] = 1
        one["timelimit"][0] = 5
        one["extra"] = True
        assert other == build_headers("t", "2")

    def test_moments_that_are_text_already_are_taken_as_they_are(self) -> None:
        assert build_headers("t", ID, eta="2030-01-01T00:00:00Z")["eta"] == "2030-01-01T00:00:00Z"


class TestReading:
    def test_the_two_needed_keys_are_enough(self) -> None:
        assert read_headers(NAMED) == TaskHeaders(
            task="tasks.add",
            id=ID,
            root_id=ID,
            parent_id=None,
            group=None,
            group_index=None,
            retries=0,
            eta=None,
            expires=None,
            timelimit=(None, None),
            shadow=None,
            ignore_result=None,
            origin="",
            stamped_headers=None,
            stamps={},
            argsrepr=None,
            kwargsrepr=None,
            replaced_task_nesting=0,
            lang="",
            raw=NAMED,
        )

    @given(
        task=names,
        task_id=names,
        fields=st.fixed_dictionaries(
            {},
            optional={
                "argsrepr": st.text(),
                "kwargsrepr": st.text(),
                "eta": moments,
                "expires": moments,
                "retries": st.integers(0, 2**31 - 1),
                "group": names,
                "group_index": st.none() | st.integers(0, 2**31 - 1),
                "root_id": names,
                "parent_id": names,
                "shadow": st.text(),
                "stamped_headers": st.lists(st.text()),
                "stamps": st.dictionaries(st.text(), st.text() | st.lists(st.text())),
                "replaced_task_nesting": st.integers(0, 1000),
                "ignore_result": st.none() | st.booleans(),
                "time_limit": limits,
                "soft_time_limit": limits,
                "origin": st.text(min_size=1),
            },
        ),
    )
    def test_what_was_written_is_read(self, task: str, task_id: str, fields: dict[str, Any]) -> None:
        read = read_headers(json.loads(json.dumps(build_headers(task, task_id, **fields))))
        expected = {"root_id": task_id, "argsrepr": "()", "kwargsrepr": "{}", **fields}
        expected["timelimit"] = (expected.pop("time_limit", None), expected.pop("soft_time_limit", None))
        if "group" not in fields:
            expected.pop("group_index", None)
        assert (read.task, read.id, read.extra) == (task, task_id, {})
        for key, value in expected.items():
            assert getattr(read, key) == value, key

    def test_headers_that_the_protocol_does_not_name_are_extra(self) -> None:
        headers = build_headers("t", ID, extra={"redelivered": True, "x-death": [{}], "meth": None})
        assert read_headers(headers).extra == {"redelivered": True, "x-death": [{}], "meth": None}

    def test_the_alias_is_what_people_are_shown(self) -> None:
        assert read_headers({**NAMED, "shadow": "alias"}).display_name == "alias"
        assert read_headers({**NAMED, "shadow": ""}).display_name == "tasks.add"

    def test_empty_ids_of_other_clients_count_as_none(self) -> None:
        read = read_headers({**NAMED, "root_id": "", "parent_id": "", "group": ""})
        assert (read.root_id, read.parent_id, read.group) == (ID, None, None)

    def test_null_counts_as_absent(self) -> None:
        nulls = dict.fromkeys(NINETEEN)
        assert read_headers({**nulls, **NAMED})[:-1] == read_headers(NAMED)[:-1]

    def test_moments_are_aware(self) -> None:
        read = read_headers({**NAMED, "eta": "2030-01-01T00:00:00", "expires": "2030-01-01T02:00:00+02:00"})
        assert read.eta == read.expires == datetime(2030, 1, 1, tzinfo=UTC)

    @pytest.mark.parametrize("limit", [(5, 3), [5, 3], [5.5, None], [None, 0]])
    def test_limits_are_hard_and_soft(self, limit: Any) -> None:
        assert read_headers({**NAMED, "timelimit": limit}).timelimit == tuple(limit)

    @pytest.mark.parametrize(
        ("headers", "expected"), [({"task": "t"}, True), ({}, False), (None, False), ({"id": 1}, False)]
    )
    def test_the_task_header_marks_the_protocol(self, headers: Any, expected: bool) -> None:
        assert is_v2(headers) is expected


class TestHostileHeaders:
    @pytest.mark.parametrize("key", ["task", "id"])
    def test_without_task_or_id_are_refused_by_name(self, key: str) -> None:
        with pytest.raises(ProtocolError, match=f"header '{key}' is missing"):
            read_headers({other: value for other, value in NAMED.items() if other != key})

    @pytest.mark.parametrize("key", ["task", "id"])
    @pytest.mark.parametrize("value", ["", 5, True, b"x", [], {}, "x" * 513, "\ud800", math.nan])
    def test_with_an_odd_name_or_id_are_refused(self, key: str, value: Any) -> None:
        with pytest.raises(ProtocolError, match=f"header '{key}': expected text of 1 to 512 characters, found"):
            read_headers({**NAMED, key: value})

    @pytest.mark.parametrize(
        ("key", "bad"),
        [
            *[(key, bad) for key in ("root_id", "parent_id", "group") for bad in (5, [], "x" * 513, "\udfff", b"x")],
            *[
                (key, bad)
                for key in ("retries", "group_index", "replaced_task_nesting")
                for bad in (-1, 1.0, True, "1", 2**31, 10**400, math.nan, [])
            ],
            *[(key, bad) for key in ("eta", "expires") for bad in (5, "soon", [], {}, True, 10**400)],
            *[
                ("timelimit", bad)
                for bad in (
                    5,
                    [],
                    [1],
                    [1, 2, 3],
                    "ab",
                    {},
                    [True, 1],
                    [-1, None],
                    [math.nan, 1],
                    [1, math.inf],
                    [10**400, 1],
                )
            ],
            *[("ignore_result", bad) for bad in (0, 1, "true", [])],
            *[("shadow", bad) for bad in (5, [], {}, True)],
            *[("origin", bad) for bad in (5, [], {}, True)],
            *[("argsrepr", bad) for bad in (5, [], {}, True)],
            *[("kwargsrepr", bad) for bad in (5, [], {}, True)],
            *[("lang", bad) for bad in (5, [], {}, True)],
            *[("stamped_headers", bad) for bad in (5, "ab", {"a": 1}, [1], [None])],
            *[("stamps", bad) for bad in (5, "ab", ["a"], {1: 2}, True)],
        ],
    )
    def test_with_a_value_of_the_wrong_kind_are_refused_by_name(self, key: str, bad: Any) -> None:
        with pytest.raises(ProtocolError, match=f"header '{key}'") as caught:
            read_headers({**NAMED, key: bad})
        assert "expected" in str(caught.value)
        assert "found" in str(caught.value)

    @pytest.mark.parametrize("headers", [None, 5, "task", ["task"], b"", [("task", "t"), ("id", "i")]])
    def test_that_are_no_map_are_refused(self, headers: Any) -> None:
        with pytest.raises(ProtocolError, match="headers: expected a map"):
            read_headers(headers)

    def test_are_never_dumped_into_the_message(self) -> None:
        with pytest.raises(ProtocolError) as caught:
            read_headers({**NAMED, "retries": ["secret" * 1000] * 1000})
        assert len(str(caught.value)) < 300

    @given(st.dictionaries(st.sampled_from(NINETEEN) | st.text(), json_values))
    def test_of_any_json_are_read_or_refused(self, headers: dict[str, Any]) -> None:
        try:
            read = read_headers(headers)
        except ProtocolError:
            return
        assert isinstance(read, TaskHeaders)

    @given(st.sampled_from(NINETEEN), json_values)
    def test_with_any_json_in_one_place_are_read_or_refused(self, key: str, value: Any) -> None:
        try:
            read = read_headers({**NAMED, key: value})
        except ProtocolError:
            return
        # what was let in can be written to any store
        read.id.encode()
        read.root_id.encode()
        json.dumps(read[:-1])
