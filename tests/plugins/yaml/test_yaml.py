"""YAML: safe types, as PyYAML and Kombu have them, and limits on what a text may ask for."""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import serialization

from celeriac.exceptions import ProtocolError, SerializationError
from celeriac.testing.conformance import SerializerHarness, SerializerSuite
from celeriac_yaml.limits import MAX_ALIASED, MAX_DEPTH
from celeriac_yaml.serializer import YamlSerializer

yaml = YamlSerializer()


class TestConformance(SerializerSuite):
    def make_harness(self):
        return SerializerHarness("yaml")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=10,
)


@given(values)
def test_what_was_written_is_read_by_us_and_by_kombu(value):
    data = yaml.dumps(value)
    assert yaml.loads(data) == value
    assert serialization.loads(data, yaml.content_type, yaml.content_encoding, accept={yaml.content_type}) == value


@given(values)
def test_what_kombu_writes_is_read(value):
    kind, encoding, text = serialization.dumps(value, serializer="yaml")
    assert (kind, encoding) == (yaml.content_type, yaml.content_encoding)
    assert yaml.loads(text.encode()) == value


def test_kombus_aliases_of_what_occurs_twice_are_read():
    twice = {"a": [1]}
    _, _, text = serialization.dumps([twice, twice], serializer="yaml")
    assert "*id001" in text
    assert yaml.loads(text.encode()) == [twice, twice]


def test_sets_and_aware_times_are_kept():
    value = {"set": {1, 2}, "when": datetime(2030, 1, 1, 12, tzinfo=UTC), "day": date(2030, 1, 1)}
    assert yaml.loads(yaml.dumps(value)) == value


@pytest.mark.parametrize("value", [Decimal(1), object(), ValueError("x"), lambda: 1])
def test_what_is_no_safe_type_is_named_by_its_place(value):
    with pytest.raises(SerializationError, match=r"^value\['key'\]\[0\]: object of type .* cannot be written as YAML"):
        yaml.dumps({"key": [value]})


def test_a_cycle_is_refused():
    ring = []
    ring.append(ring)
    with pytest.raises(SerializationError, match=r"contains itself|deeper than"):
        yaml.dumps(ring)


def nested(levels):
    return b"[" * levels + b"]" * levels


def test_the_limit_of_nesting_is_exact_and_the_same_at_both_ends():
    deep = []
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert yaml.loads(yaml.dumps(deep)) == deep
    assert yaml.loads(nested(MAX_DEPTH)) == deep
    with pytest.raises(SerializationError, match="deeper than"):
        yaml.dumps([deep])
    with pytest.raises(ProtocolError, match="deeper than"):
        yaml.loads(nested(MAX_DEPTH + 1))


def laughs(levels):
    lines = [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [b"a%d: &a%d [%s]" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, levels)]
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"!!python/object/apply:os.system [false]", "not YAML"),
        (b"!!python/name:os.system ", "not YAML"),
        (b"a: &a [*a]", "a part of"),
        (b"- &a [1]\n- &a [*a]", "a part of"),
        (b"*nobody", "not YAML|stands for nothing"),
        (laughs(9), f"more than {MAX_ALIASED} values"),
        (b"- 1\n--- \n- 2", "2 documents"),
        (b"# nothing", "0 documents"),
        (b"2030-13-45", "not YAML"),
        (b"? [1, 2]\n: x", "not YAML"),
        (b"9" * 5000, "not YAML"),
        (b"- " * 100_000, "deeper than"),
        (b"? " * 100_000, "deeper than"),
        (b"\xff\xfe[\x001\x00]\x00", "not read"),
    ],
)
def test_a_hostile_text_is_the_one_typed_error(text, told):
    with pytest.raises(ProtocolError, match=told) as caught:
        yaml.loads(text)
    assert len(str(caught.value)) < 400


def test_a_number_to_the_base_60_of_great_length_takes_no_time():
    began = time.perf_counter()
    with pytest.raises(ProtocolError, match="a number of"):
        yaml.loads(b"1" + b":1" * 2_000_000)
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize("form", ["{{{}}}", "!!set {{{}}}"])
def test_keys_that_a_stranger_chose_to_collide_take_no_time(form):
    numbers = (str(1 + sys.hash_info.modulus * count) for count in range(20_000))
    with pytest.raises(ProtocolError, match="collide"):
        yaml.loads(form.format(", ".join(f"? {number}" for number in numbers)).encode())


def test_a_map_of_many_keys_is_read():
    value = {number: str(number) for number in range(5000)}
    assert yaml.loads(yaml.dumps(value)) == value


def test_too_long_a_text_is_neither_written_nor_read(monkeypatch):
    monkeypatch.setattr("celeriac_yaml.serializer.MAX_BYTES", 10)
    with pytest.raises(SerializationError, match="longer than 10 bytes"):
        yaml.dumps("x" * 20)
    with pytest.raises(ProtocolError, match="longer than 10 bytes"):
        yaml.loads(b"x" * 20)
