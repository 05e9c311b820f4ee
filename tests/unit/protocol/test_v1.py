"""Protocol 1, and telling the protocols apart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.exceptions import ProtocolError
from celeriac.protocol import json
from celeriac.protocol.message import decode_task
from celeriac.protocol.task import TaskBody, build_headers, encode_body, read_headers
from celeriac.protocol.v1 import decode_v1, encode_v1

#: A message as Celery writes it with task_protocol = 1.
MESSAGE: dict[str, Any] = {
    "task": "tasks.add",
    "id": "abc",
    "args": [2, 3],
    "kwargs": {"x": 1},
    "group": None,
    "group_index": None,
    "retries": 1,
    "eta": "2024-05-01T12:00:00",
    "expires": "2024-05-01T13:00:00+00:00",
    "utc": True,
    "callbacks": [{"task": "tasks.log", "options": {}}],
    "errbacks": None,
    "timelimit": [30, 20],
    "taskset": "g1",
    "chord": {"task": "tasks.sum"},
}

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=50)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class TestReading:
    def test_the_map_becomes_headers_and_body_of_protocol_2(self) -> None:
        headers, body = decode_task({}, MESSAGE)
        assert (headers.task, headers.id, headers.root_id, headers.retries) == ("tasks.add", "abc", "abc", 1)
        assert headers.group == "g1"
        assert headers.timelimit == (30, 20)
        assert headers.eta == datetime(2024, 5, 1, 12, tzinfo=UTC)
        assert headers.expires == datetime(2024, 5, 1, 13, tzinfo=UTC)
        assert (headers.argsrepr, headers.kwargsrepr) == ("[2, 3]", "{'x': 1}")
        assert body == TaskBody([2, 3], {"x": 1}, MESSAGE["callbacks"], None, None, {"task": "tasks.sum"})

    def test_task_and_id_are_enough(self) -> None:
        headers, body = decode_task(None, {"task": "t", "id": "i"})
        assert (headers.task, headers.id, headers.retries) == ("t", "i", 0)
        assert body == TaskBody([], {})

    def test_a_group_beats_the_old_name_for_one(self) -> None:
        assert decode_v1({"task": "t", "id": "i", "group": "new", "taskset": "old"})[0]["group"] == "new"

    def test_a_moment_without_offset_is_local_where_the_map_says_so(self) -> None:
        message = {**MESSAGE, "utc": False, "expires": None}
        headers, _ = decode_v1(message, ZoneInfo("Europe/Berlin"))
        assert read_headers(headers).eta == datetime(2024, 5, 1, 10, tzinfo=UTC)
        here, _ = decode_v1(message)
        assert read_headers(here).eta == datetime(2024, 5, 1, 12).astimezone()

    def test_a_moment_without_offset_is_utc_where_the_map_says_nothing(self) -> None:
        headers, _ = decode_v1({"task": "t", "id": "i", "eta": "2024-05-01T12:00:00"}, ZoneInfo("Asia/Tokyo"))
        assert read_headers(headers).eta == datetime(2024, 5, 1, 12, tzinfo=UTC)

    def test_headers_of_the_transport_stay_visible(self) -> None:
        headers, _ = decode_task({"redelivered": True}, MESSAGE)
        assert headers.extra == {"redelivered": True}

    def test_a_chain_in_the_map_is_not_of_this_protocol(self) -> None:
        assert decode_task({}, {**MESSAGE, "chain": [{"task": "t"}]})[1].chain is None


class TestWriting:
    def test_the_map_is_that_of_the_protocol(self) -> None:
        headers = build_headers("tasks.add", "abc", retries=1, group="g1", group_index=4, time_limit=30)
        callback = {"task": "tasks.log"}
        assert encode_v1(headers, encode_body((2,), {"x": 1}, callbacks=[callback])) == {
            "task": "tasks.add",
            "id": "abc",
            "args": (2,),
            "kwargs": {"x": 1},
            "group": "g1",
            "group_index": 4,
            "retries": 1,
            "eta": None,
            "expires": None,
            "utc": True,
            "callbacks": [callback],
            "errbacks": None,
            "timelimit": [30, None],
            "taskset": "g1",
            "chord": None,
        }

    def test_the_rest_of_a_chain_becomes_nested_links_in_order(self) -> None:
        chain = [{"task": "last"}, {"task": "middle", "options": {"link": {"task": "mine"}}}, {"task": "next"}]
        written = encode_v1(build_headers("first", "1"), encode_body((), {}, callbacks=[{"task": "cb"}], chain=chain))
        assert written["callbacks"] == [
            {"task": "cb"},
            {
                "task": "next",
                "options": {
                    "link": [
                        {
                            "task": "middle",
                            "options": {"link": [{"task": "mine"}, {"task": "last", "options": {}}]},
                        }
                    ]
                },
            },
        ]
        assert chain[0] == {"task": "last"}

    @given(
        names,
        names,
        st.lists(st.integers() | st.text()),
        st.dictionaries(st.text(), st.integers()),
        st.fixed_dictionaries(
            {},
            optional={
                "retries": st.integers(0, 100),
                "group": names,
                "group_index": st.integers(0, 100),
                "time_limit": st.integers(0, 100),
                "soft_time_limit": st.integers(0, 100),
                "eta": st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)),
                "expires": st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)),
            },
        ),
    )
    def test_what_was_written_is_read(self, task: str, task_id: str, args: Any, kwargs: Any, fields: Any) -> None:
        headers = build_headers(task, task_id, **fields)
        wire = json.dumps(encode_v1(headers, encode_body(args, kwargs)))
        read, body = decode_task({}, json.loads(wire))
        expected = read_headers(headers)
        assert body == TaskBody(args, kwargs)
        for key in ("task", "id", "retries", "group", "group_index", "timelimit", "eta", "expires"):
            assert getattr(read, key) == getattr(expected, key), key


class TestTheThreeProtocols:
    def test_headers_with_a_task_are_protocol_2(self) -> None:
        headers, body = decode_task(build_headers("t", "i", retries=3), [[1], {}, None])
        assert (headers.task, headers.retries, body) == ("t", 3, TaskBody([1], {}))

    def test_headers_with_a_task_and_a_map_are_the_hybrid(self) -> None:
        headers, body = decode_task(
            {"task": "t", "lang": "py"}, {"id": "i", "args": [1], "kwargs": {}, "retries": 2, "task": "other"}
        )
        assert (headers.task, headers.id, headers.retries) == ("t", "i", 2)
        assert body == TaskBody([1], {})

    def test_in_a_hybrid_the_headers_that_were_routed_by_win(self) -> None:
        headers, _ = decode_task({"task": "t", "id": "true"}, {"id": "forged", "args": [], "retries": 1})
        assert headers.id == "true"


class TestHostileMessages:
    @pytest.mark.parametrize("body", [None, 5, "x", b"x", [], [[], {}, None], {}, {"task": "t"}, {"id": "i"}])
    def test_without_headers_and_without_the_map_are_refused(self, body: Any) -> None:
        with pytest.raises(ProtocolError, match="message without task headers: expected the map of protocol 1"):
            decode_task({}, body)

    @pytest.mark.parametrize("headers", [5, "task", ["task"], [("task", "t")]])
    def test_with_headers_that_are_no_map_are_refused(self, headers: Any) -> None:
        with pytest.raises(ProtocolError, match="headers: expected a map"):
            decode_task(headers, MESSAGE)

    @pytest.mark.parametrize(
        ("key", "bad"),
        [
            *[("task", 5), ("id", ""), ("args", "ab"), ("kwargs", [1]), ("eta", "soon"), ("expires", 5)],
            *[("retries", -1), ("timelimit", 5), ("taskset", 5), ("callbacks", "x"), ("chord", 5)],
        ],
    )
    def test_with_a_value_of_the_wrong_kind_are_refused_by_name(self, key: str, bad: Any) -> None:
        with pytest.raises(ProtocolError, match=key if key != "taskset" else "group"):
            decode_task({}, {**MESSAGE, "group": None, key: bad})

    @given(json_values | st.dictionaries(st.sampled_from([*MESSAGE]) | st.text(), json_values))
    def test_of_any_json_are_read_or_refused(self, body: Any) -> None:
        try:
            decode_v1(body)
            decode_task({}, body)
        except ProtocolError:
            return

    @given(st.sampled_from([*MESSAGE]), json_values)
    def test_with_any_json_in_one_place_are_read_or_refused(self, key: str, value: Any) -> None:
        try:
            decode_task({}, {**MESSAGE, key: value})
            decode_task({"task": "t"}, {**MESSAGE, key: value})
        except ProtocolError:
            return

    @given(st.none() | json_values | st.dictionaries(st.just("task") | st.text(), json_values), json_values)
    def test_of_any_headers_and_body_are_read_or_refused(self, headers: Any, body: Any) -> None:
        try:
            decode_task(headers, body)
        except ProtocolError:
            return
