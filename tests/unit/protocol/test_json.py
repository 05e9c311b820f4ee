"""JSON: Kombu's extended types to the letter, clear refusals, and one error for hostile input."""

from __future__ import annotations

import json as plain
import math
import sys
import threading
import traceback
import uuid
from collections import OrderedDict, namedtuple
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.utils import json as kombu_json

from celeriac.exceptions import ProtocolError, SerializationError
from celeriac.protocol import json
from celeriac.protocol import json_limits as limits

EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}

offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.none() | offsets)
    | st.dates()
    | st.times()
    | st.decimals(allow_nan=False)
    | st.uuids()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5), max_leaves=20
)


def is_envelope(value: Any) -> bool:
    """Whether a map would be read as one of the extended types, which then is not what was written."""
    if isinstance(value, dict):
        return value.keys() == {"__type__", "__value__"} or any(map(is_envelope, value.values()))
    return isinstance(value, list) and any(map(is_envelope, value))


class TestTheFormat:
    @pytest.mark.parametrize(
        ("value", "wire"),
        [
            (
                datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
                {"__type__": "datetime", "__value__": "2024-05-01T12:30:00+00:00"},
            ),
            (datetime(2024, 5, 1, 12, 30), {"__type__": "datetime", "__value__": "2024-05-01T12:30:00"}),
            (date(2024, 5, 1), {"__type__": "date", "__value__": "2024-05-01"}),
            (time(12, 30, 1, 5), {"__type__": "time", "__value__": "12:30:01.000005"}),
            (Decimal("1.50"), {"__type__": "decimal", "__value__": "1.50"}),
            (
                uuid.UUID("12345678123456781234567812345678"),
                {"__type__": "uuid", "__value__": {"hex": "12345678123456781234567812345678"}},
            ),
            ("grün".encode(), {"__type__": "bytes", "__value__": "grün"}),
            (b"\xff\x00", {"__type__": "base64", "__value__": "/wA="}),
        ],
    )
    def test_an_extended_type_is_an_envelope_of_type_and_value(self, value: Any, wire: Any) -> None:
        assert plain.loads(json.dumps(value)) == wire
        assert json.loads(plain.dumps(wire)) == value

    def test_the_text_is_compact_ascii(self) -> None:
        assert json.dumps([(2, 3), {"x": "ü"}, EMBED]) == (
            b'[[2,3],{"x":"\\u00fc"},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]'
        )

    def test_nan_and_infinity_pass_as_kombu_lets_them(self) -> None:
        read = json.loads(json.dumps([math.inf, -math.inf, math.nan]))
        assert read[:2] == [math.inf, -math.inf]
        assert math.isnan(read[2])

    def test_the_reducer_of_a_class_is_honoured(self) -> None:
        class Point:
            def __json__(self) -> Any:
                return {"x": Decimal(1)}

        assert json.loads(json.dumps([Point()])) == [{"x": Decimal(1)}]

    def test_a_subclass_of_a_known_type_is_written_as_that_type(self) -> None:
        class Stamp(datetime):
            pass

        assert json.loads(json.dumps(Stamp(2024, 1, 1))) == datetime(2024, 1, 1)

    def test_maps_and_named_tuples_are_written_as_what_they_derive_from(self) -> None:
        pair = namedtuple("pair", "a b")
        assert json.loads(json.dumps([OrderedDict(a=1), pair(1, 2)])) == [{"a": 1}, [1, 2]]

    def test_whitespace_around_the_value_is_no_matter(self) -> None:
        assert json.loads(b" \r\n\t[1] \n") == [1]

    def test_of_duplicate_keys_the_last_counts(self) -> None:
        assert json.loads(b'{"a": 1, "a": 2}') == {"a": 2}

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_every_kind_of_buffer_is_read(self, kind: Any) -> None:
        assert json.loads(kind(b'["\xc3\xbc"]')) == ["ü"]

    def test_a_map_with_more_than_the_two_keys_is_a_map(self) -> None:
        value = {"__type__": "datetime", "__value__": "x", "more": 1}
        assert json.loads(json.dumps(value)) == value

    def test_a_registered_type_crosses(self) -> None:
        class Money:
            def __init__(self, cents: int) -> None:
                self.cents = cents

        json.register_type(Money, "test-money", lambda money: money.cents, Money)
        read = json.loads(json.dumps([Money(5)]))[0]
        assert isinstance(read, Money)
        assert read.cents == 5

    def test_a_type_registered_without_marker_is_written_bare(self) -> None:
        class Lazy:
            pass

        json.register_type(Lazy, None, lambda _: "text")
        assert json.dumps(Lazy()) == b'"text"'

    @given(values.filter(lambda value: not is_envelope(value)))
    def test_what_was_written_is_read(self, value: Any) -> None:
        assert json.loads(json.dumps(value)) == value


class TestBeyondKombu:
    @pytest.mark.parametrize(
        "value", [set(), {1, "a", None, 2.5}, frozenset({b"\xff", date(2030, 1, 1), Decimal(1)}), {frozenset({1})}]
    )
    def test_a_set_is_kept(self, value: Any) -> None:
        read = json.loads(json.dumps([value]))[0]
        assert (type(read), read) == (type(value), value)

    @pytest.mark.parametrize("value", [{(1, 2)}, frozenset({json}), {1j}])
    def test_a_set_that_would_not_come_back_is_refused(self, value: Any) -> None:
        with pytest.raises(SerializationError, match=r"^value: .*set"):
            json.dumps(value)

    def test_kombu_reads_sets_once_it_is_taught_them_as_we_were(self) -> None:
        text = json.dumps({1, 2})
        with pytest.raises(ValueError, match="Unsupported type"):
            kombu_json.loads(text)
        kombu_json.register_type(set, "set", list, set)
        try:
            assert kombu_json.loads(text) == {1, 2}
            assert json.loads(kombu_json.dumps({1, 2})) == {1, 2}
        finally:
            del kombu_json._encoders[set], kombu_json._decoders["set"]

    @pytest.mark.parametrize("value", [[[1]], {"a": 1}, "text", None, [{"a": 1}]])
    def test_a_set_of_what_cannot_be_in_one_is_malformed(self, value: Any) -> None:
        with pytest.raises(ProtocolError, match="malformed set"):
            json.loads(plain.dumps({"__type__": "set", "__value__": value}))

    def test_elements_that_a_stranger_chose_to_collide_take_no_time(self) -> None:
        modulus = sys.hash_info.modulus
        numbers = [1 + modulus * count for count in range(200_000)]
        with pytest.raises(ProtocolError, match="malformed set"):
            json.loads(plain.dumps({"__type__": "set", "__value__": numbers}))

    def test_a_dataclass_is_written_as_the_map_of_its_fields(self) -> None:
        @dataclass
        class Line:
            price: Decimal

        @dataclass(frozen=True)
        class Order:
            id: int
            lines: list[Line]

        text = json.dumps(Order(1, [Line(Decimal("1.5"))]))
        assert json.loads(text) == {"id": 1, "lines": [{"price": Decimal("1.5")}]} == kombu_json.loads(text)
        with pytest.raises(SerializationError, match="object of type type"):
            json.dumps([Order])


class TestBesideKombu:
    @given(values.filter(lambda value: not is_envelope(value)))
    def test_kombu_reads_what_we_write(self, value: Any) -> None:
        assert kombu_json.loads(json.dumps(value)) == value

    @given(values.filter(lambda value: not is_envelope(value)))
    def test_we_read_what_kombu_writes(self, value: Any) -> None:
        assert json.loads(kombu_json.dumps(value)) == value

    @given(values)
    def test_both_write_the_same_meaning(self, value: Any) -> None:
        assert plain.loads(json.dumps(value)) == plain.loads(kombu_json.dumps(value))

    @pytest.mark.parametrize("value", [object(), bytearray(b"x"), 1j, (x for x in ())])
    def test_both_refuse_the_same_types(self, value: Any) -> None:
        with pytest.raises(TypeError, match="not JSON serializable"):
            kombu_json.dumps(value)
        with pytest.raises(SerializationError):
            json.dumps(value)

    def test_both_refuse_an_unknown_type_on_the_wire(self) -> None:
        text = '{"__type__": "wombat", "__value__": 1}'
        with pytest.raises(ValueError, match="Unsupported type"):
            kombu_json.loads(text)
        with pytest.raises(ProtocolError, match="unknown type str 'wombat'"):
            json.loads(text)


class TestAValueThatCannotBeWritten:
    def test_is_named_by_its_place_in_the_call(self) -> None:
        body = ((1, {"x": object()}), {}, EMBED)
        with pytest.raises(SerializationError, match=r"^args\[1\]\['x'\]: object of type object is not JSON serialis"):
            json.dumps(body)

    def test_is_found_in_the_keyword_arguments_too(self) -> None:
        with pytest.raises(
            SerializationError, match=r"^kwargs\['ids'\]: .* type set .*; a set is kept if .* pass a list"
        ):
            json.dumps(([], {"ids": {(1, 2)}}, EMBED))

    def test_outside_a_body_is_named_from_the_value(self) -> None:
        with pytest.raises(SerializationError, match=r"^value\[0\]: object of type Foo"):
            json.dumps([type("Foo", (), {})()])

    def test_a_key_that_is_no_text_is_named(self) -> None:
        with pytest.raises(SerializationError, match=r"^kwargs\['m'\]: a key of type tuple"):
            json.dumps(([], {"m": {(1, 2): 3}}, EMBED))

    def test_a_cycle_is_named(self) -> None:
        ring: list[Any] = [1]
        ring.append({"again": ring})
        with pytest.raises(SerializationError, match=r"^args\[0\]\[1\]\['again'\]: .*cycle"):
            json.dumps(([ring], {}, EMBED))

    def test_what_occurs_twice_without_a_cycle_is_fine(self) -> None:
        twice = {"a": 1}
        assert json.loads(json.dumps([twice, twice])) == [twice, twice]

    @pytest.mark.parametrize("depth", [limits.MAX_DEPTH + 1, 5_000, 100_000])
    def test_too_deep_a_nesting_is_refused(self, depth: int) -> None:
        deep: list[Any] = []
        for _ in range(depth):
            deep = [deep]
        with pytest.raises(SerializationError, match="deeper than 500 levels"):
            json.dumps(deep)

    def test_an_integer_that_no_reader_takes_is_named(self) -> None:
        with pytest.raises(SerializationError, match=r"^args\[0\]: an integer of \d+ bits is too large"):
            json.dumps(([10**5000], {}, EMBED))

    def test_an_error_of_the_reducer_is_reported_as_what_it_is(self) -> None:
        class Broken:
            def __json__(self) -> Any:
                raise RuntimeError("no wombat here")

        with pytest.raises(SerializationError, match=r"^value\[0\]: .*Broken.*RuntimeError: no wombat here"):
            json.dumps([Broken()])

    def test_a_reducer_that_never_ends_is_refused(self) -> None:
        class Endless:
            def __json__(self) -> Any:
                return Endless()

        with pytest.raises(SerializationError, match="deeper than 500 levels"):
            json.dumps(Endless())

    def test_what_a_reducer_returns_is_searched_as_well(self) -> None:
        class Holder:
            def __json__(self) -> Any:
                return {"bad": object()}

        with pytest.raises(SerializationError, match=r"^value\.__json__\(\)\['bad'\]: object of type object"):
            json.dumps(Holder())

    def test_the_message_stays_short_however_long_the_key(self) -> None:
        with pytest.raises(SerializationError) as caught:
            json.dumps({"k" * 100_000: object()})
        assert len(str(caught.value)) < 500

    def test_is_also_a_type_error_as_it_is_for_users_of_kombu(self) -> None:
        with pytest.raises(TypeError, match="type object is not JSON serialisable"):
            json.dumps(object())

    def test_too_long_a_text_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(json, "MAX_BYTES", 10)
        with pytest.raises(SerializationError, match="more than 10; store the data elsewhere"):
            json.dumps("x" * 20)


def hostile() -> Iterator[Any]:
    yield pytest.param(b"", id="empty")
    yield pytest.param(b"  ", id="blank")
    yield pytest.param(b"{", id="cut")
    yield pytest.param(b"[1,]", id="trailing comma")
    yield pytest.param(b"[1] [2]", id="two values")
    yield pytest.param(b"\xff\xfe[\x001\x00]\x00", id="UTF-16")
    yield pytest.param(b'"\xc3"', id="cut UTF-8")
    yield pytest.param(b'"\xed\xa0\x80"', id="surrogate in UTF-8")
    yield pytest.param("\ufeff[]".encode(), id="byte order mark")
    yield pytest.param(b"\x80\x04K\x01.", id="pickle")
    yield pytest.param(b"[" * 100_000, id="open brackets")
    yield pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deep lists")
    yield pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep maps")
    yield pytest.param(b'["' * 100_000, id="open brackets and strings")
    yield pytest.param(b"9" * 5000, id="huge integer")
    yield pytest.param(b'{"__type__": "wombat", "__value__": 1}', id="unknown type")
    yield pytest.param(b'{"__type__": ["x"], "__value__": 1}', id="unhashable type")
    yield pytest.param(b'{"__type__": null, "__value__": 1}', id="null type")
    for marker in ("datetime", "date", "time", "decimal", "uuid", "bytes", "base64"):
        for value in ('"garbage \u00e9"', "1", "null", '{"hex": 1}', '{"hex": "zz"}', "[]", '{"int": 5}'):
            text = f'{{"__type__": "{marker}", "__value__": {value}}}'
            if (marker, value) == ("bytes", '"garbage \u00e9"'):
                continue
            if marker == "decimal" and value in {"1", "[]"}:
                continue
            yield pytest.param(text.encode(), id=text)
    yield pytest.param(b'{"__type__": "bytes", "__value__": "\\ud800"}', id="half a surrogate pair as bytes")
    yield pytest.param(b'{"__type__": "datetime", "__value__": {"__type__": "x", "__value__": 1}}', id="nested")


class TestHostileInput:
    @pytest.mark.parametrize("data", list(hostile()))
    def test_ends_in_the_one_typed_error(self, data: bytes) -> None:
        with pytest.raises(ProtocolError) as caught:
            json.loads(data)
        assert len(str(caught.value)) < 400

    @given(st.binary(max_size=200))
    def test_random_bytes_are_read_or_refused(self, data: bytes) -> None:
        try:
            json.loads(data)
        except ProtocolError:
            return

    @given(st.text(alphabet='[]{}":,\\u0d8 1-.eE__type__value', max_size=80))
    def test_text_made_of_jsons_own_characters_is_read_or_refused(self, data: str) -> None:
        try:
            json.loads(data)
        except ProtocolError:
            return

    def test_half_a_surrogate_pair_in_a_string_is_kept(self) -> None:
        assert json.loads(json.dumps("\ud800")) == "\ud800"

    def test_too_long_a_text_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(json, "MAX_BYTES", 10)
        with pytest.raises(ProtocolError, match="longer than the 10 that are read"):
            json.loads(b" " * 11)

    def test_where_the_stack_is_nearly_used_up_the_error_is_the_same(self) -> None:
        data = b"[" * 400 + b"]" * 400
        outcomes: list[object] = []

        def descend() -> None:
            try:
                json.loads(data)
            except ProtocolError as exc:
                outcomes.append(exc)
                return
            except RecursionError as exc:
                outcomes.append(raised_by(exc))
                return
            try:
                descend()
            except RecursionError:
                return

        def raised_by(exc: BaseException) -> str:
            """Where: in this very test, when not even the call fitted on the stack."""
            *_, last = traceback.walk_tb(exc.__traceback__)
            return last[0].f_code.co_filename

        # a thread of its own, so that the depth of the test runner's stack does not matter
        thread = threading.Thread(target=descend)
        thread.start()
        thread.join()
        # From Python 3.12 on the parser has a stack of its own, and nothing needs to be refused.
        assert len(outcomes) == 1 or sys.version_info >= (3, 12)
        assert all(isinstance(outcome, ProtocolError) or outcome == __file__ for outcome in outcomes)


def depth_of(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


class TestTheLimitOfNesting:
    @pytest.mark.parametrize("opening", ["[", '{"a":'])
    def test_is_exact(self, opening: str) -> None:
        closing = "]" if opening == "[" else "}"

        def nested(levels: int) -> str:
            return opening * levels + ("" if opening == "[" else "0") + closing * levels

        assert depth_of(json.loads(nested(limits.MAX_DEPTH))) == limits.MAX_DEPTH
        with pytest.raises(ProtocolError, match="nested deeper"):
            json.loads(nested(limits.MAX_DEPTH + 1))

    def test_counts_depth_and_not_brackets(self) -> None:
        wide = [[[]]] * 10_000
        assert json.loads(json.dumps(wide)) == wide

    def test_ignores_brackets_in_strings(self) -> None:
        tricky = ["[" * 2000, '"[\\', '\\"[' * 1000, "\\" * 7, "{" * 1000]
        assert json.loads(json.dumps(tricky)) == tricky

    @given(
        st.recursive(
            st.text(alphabet='[]{}"\\n') | st.none(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='[]{}"\\'), inner),
            max_leaves=30,
        )
    )
    def test_is_measured_as_the_parser_nests(self, value: Any) -> None:
        assert limits._depth(plain.dumps(value).encode()) == depth_of(value)
