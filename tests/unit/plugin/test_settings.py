"""Settings of plugins: converted, validated, and refused in words that name them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.exceptions import ImproperlyConfigured, PluginConflict
from celeriac.plugin import Schema, Setting


def setting(kind: Any, default: Any = 0, **rest: Any) -> Setting:
    return Setting("demo_value", kind, default, "For the test.", **rest)


@pytest.mark.parametrize(
    ("kind", "given_value", "expected"),
    [
        (str, "text", "text"),
        (int, 4, 4),
        (int, "-4", -4),
        (float, 4, 4.0),
        (float, "0.5", 0.5),
        (float, "inf", float("inf")),
        (bool, True, True),
        (bool, 0, False),
        (bool, "Yes", True),
        (bool, "off", False),
        (bool, "", False),
        ("seconds", 1.5, 1.5),
        ("seconds", "90", 90.0),
        ("seconds", timedelta(minutes=2), 120.0),
        ("strings", ["a", "b"], ("a", "b")),
        ("strings", "a, b,", ("a", "b")),
        (list, ("a", 1), ["a", 1]),
        (tuple, ["a", 1], ("a", 1)),
        (dict, {"a": 1}, {"a": 1}),
        ("any", object, object),
        (Any, {"x"}, {"x"}),
    ],
)
def test_a_value_becomes_the_type_of_its_setting(kind, given_value, expected):
    found = setting(kind).convert(given_value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        (str, 5, "a string"),
        (str, b"x", "a string"),
        (int, 4.0, "an integer"),
        (int, True, "an integer"),
        (int, "four", "an integer"),
        (float, "nan", "a number"),
        (float, False, "a number"),
        (bool, "maybe", "true or false"),
        (bool, 2, "true or false"),
        ("seconds", "soon", "a number of seconds or a timedelta"),
        ("seconds", [1], "a number of seconds or a timedelta"),
        ("strings", ["a", 1], "a list of strings"),
        (list, 5, "a list"),
        (list, {"a": 1}, "a list"),
        (dict, [("a", 1)], "a mapping"),
        (int, None, "an integer"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name_value_and_wish(kind, value, wanted):
    with pytest.raises(ImproperlyConfigured) as refused:
        setting(kind).convert(value)
    assert str(refused.value) == f"the setting demo_value must be {wanted}, not {value!r}"


def test_none_is_a_value_where_it_is_the_default_or_allowed():
    assert setting(int, None).convert(None) is None
    assert setting(int, 5, optional=True).convert(None) is None


def test_only_the_choices_are_taken():
    choice = setting(str, "a", choices=("a", "b"))
    assert choice.convert("b") == "b"
    with pytest.raises(ImproperlyConfigured, match="must be one of 'a', 'b', not 'c'"):
        choice.convert("c")


def test_a_number_below_its_minimum_is_refused():
    port = setting("seconds", 1, minimum=0.5)
    assert port.convert(0.5) == 0.5
    with pytest.raises(ImproperlyConfigured, match=r"a timedelta, at least 0\.5, not 0\.1"):
        port.convert(0.1)


def test_a_secret_is_not_shown():
    with pytest.raises(ImproperlyConfigured) as refused:
        setting(int, 0, secret=True).convert("hunter2")
    assert "hunter2" not in str(refused.value)
    assert "demo_value" in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@given(st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.text(), st.lists(st.text())))
@pytest.mark.parametrize("kind", [str, int, float, bool, "seconds", "strings", list, dict])
def test_whatever_the_value_it_is_converted_or_refused(kind, value):
    try:
        converted = setting(kind).convert(value)
    except ImproperlyConfigured:
        return
    # What was taken once is taken again as it is.
    assert setting(kind).convert(converted) == converted


def test_a_type_that_does_not_exist_is_refused_where_it_is_written():
    with pytest.raises(ImproperlyConfigured, match="has the type <class 'complex'>"):
        setting(complex)


def test_a_name_that_is_no_identifier_is_refused():
    with pytest.raises(ImproperlyConfigured, match="'demo-value' cannot name a setting"):
        Setting("demo-value", str, "", "For the test.")


def test_a_schema_keeps_the_order_and_the_owners():
    schema = Schema()
    schema.add(Setting("b", int, 1, "B."), "celeriac-b 1.0")
    schema.add(Setting("a", int, 1, "A.", old_names=("CELERY_A",)), "celeriac-a 2.0")
    assert [found.name for found in schema] == ["b", "a"]
    assert len(schema) == 2
    assert schema.owner("a") == schema.owner("CELERY_A") == "celeriac-a 2.0"


def test_an_old_name_finds_the_setting():
    schema = Schema([Setting("new", int, 1, "New.", old_names=("OLD",))])
    assert schema["OLD"] is schema["new"] is schema.get("OLD")
    assert schema.current_name("OLD") == "new"
    assert "OLD" in schema
    assert "other" not in schema
    assert schema.get("other") is None


@pytest.mark.parametrize(
    "second",
    [
        Setting("taken", str, "", "Again."),
        Setting("other", str, "", "By an old name.", old_names=("taken",)),
        Setting("other", str, "", "By the same old name.", old_names=("was_taken",)),
        Setting("was_taken", str, "", "By the old name of the first."),
    ],
)
def test_a_name_that_is_taken_is_a_conflict_of_two_owners(second):
    schema = Schema([Setting("taken", int, 1, "First.", old_names=("was_taken",))], "celeriac-first 1.0")
    with pytest.raises(PluginConflict, match=r"by celeriac-first 1\.0 and by celeriac-second 2\.0"):
        schema.add(second, "celeriac-second 2.0")


def test_schemas_are_joined_with_their_owners():
    kernel = Schema([Setting("broker_url", str, None, "The broker.")], "celeriac")
    plugin = Schema([Setting("demo_value", int, 1, "For the test.")], "celeriac-demo 1.0")
    kernel.extend(plugin)
    assert kernel.owner("demo_value") == "celeriac-demo 1.0"
    with pytest.raises(PluginConflict):
        kernel.extend(plugin)


def test_the_nearest_names_are_offered():
    schema = Schema([Setting("broker_url", str, None, "The broker."), Setting("timezone", str, "UTC", "The zone.")])
    assert schema.nearest("broker_ulr") == ["broker_url"]
    assert schema.nearest("qqq") == []
