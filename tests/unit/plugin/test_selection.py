"""What the environment disables and allows."""

from __future__ import annotations

import pytest

from celeriac.plugin.index import Offer
from celeriac.plugin.selection import Selection


def offer(distribution="celeriac-foo", name="bar"):
    return Offer("celeriac.brokers", name, "m:T", distribution, "1.0")


@pytest.mark.parametrize(
    "disabled", ["celeriac-foo", "foo", "Celeriac_Foo", "bar", "other, foo", "other foo", " foo ,,"]
)
def test_a_distribution_or_entry_point_that_is_named_does_not_take_part(disabled):
    selection = Selection.from_environment(environ={"CELERIAC_PLUGINS_DISABLE": disabled})
    assert "CELERIAC_PLUGINS_DISABLE names" in selection.why_excluded(offer())


def test_others_take_part():
    selection = Selection.from_environment(environ={"CELERIAC_PLUGINS_DISABLE": "foo,baz"})
    assert selection.why_excluded(offer("celeriac-other")) is None


def test_the_allow_list_excludes_what_it_does_not_name():
    selection = Selection.from_environment(environ={"CELERIAC_PLUGINS_ALLOW": "celeriac-foo"})
    assert selection.why_excluded(offer()) is None
    assert "allow-list" in selection.why_excluded(offer("celeriac-other"))


def test_an_empty_allow_list_leaves_the_kernel_alone():
    selection = Selection.from_environment(environ={"CELERIAC_PLUGINS_ALLOW": ""})
    assert selection.why_excluded(offer()) is not None
    assert selection.why_excluded(offer("celeriac")) is None


def test_the_allow_list_of_a_test_replaces_that_of_the_environment():
    selection = Selection.from_environment(["other"], {"CELERIAC_PLUGINS_ALLOW": "foo"})
    assert selection.why_excluded(offer()) is not None
    assert selection.why_excluded(offer("celeriac-other")) is None


def test_the_kernel_cannot_be_disabled():
    selection = Selection.from_environment(environ={"CELERIAC_PLUGINS_DISABLE": "celeriac,json"})
    assert selection.why_excluded(offer("celeriac", "json")) is None


def test_nothing_is_excluded_where_nothing_is_said():
    selection = Selection.from_environment(environ={})
    assert selection.why_excluded(offer()) is None
    assert not selection.strict


@pytest.mark.parametrize(("text", "strict"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_strictness_is_asked_for_by_the_environment(text, strict):
    assert Selection.from_environment(environ={"CELERIAC_PLUGINS_STRICT": text}).strict is strict
