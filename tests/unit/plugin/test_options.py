"""Task options of plugins."""

from __future__ import annotations

import pytest

from celeriac.exceptions import ImproperlyConfigured, PluginConflict
from celeriac.plugin import TaskOption
from celeriac.plugin.options import join_options

DEADLINE = TaskOption("deadline", "seconds", None, "When to give up.")


def test_a_value_becomes_the_type_of_its_option():
    assert DEADLINE.convert("5") == 5.0
    assert DEADLINE.convert(None) is None


def test_a_value_of_another_type_is_refused():
    with pytest.raises(ImproperlyConfigured, match="the task option deadline must be a number of seconds"):
        DEADLINE.convert("soon")


@pytest.mark.parametrize("arguments", [("dead-line", int), ("deadline", complex)])
def test_an_option_that_cannot_be_is_refused_where_it_is_written(arguments):
    with pytest.raises(ImproperlyConfigured):
        TaskOption(*arguments, 1, "For the test.")


def test_the_options_of_all_owners_are_one_table():
    other = TaskOption("tenant", str, "", "For whom.")
    assert join_options([("a 1", [DEADLINE]), ("b 1", [other])]) == {"deadline": DEADLINE, "tenant": other}


def test_an_option_of_two_owners_is_a_conflict_that_names_both():
    with pytest.raises(PluginConflict, match=r"the task option deadline is defined by a 1 and by b 2"):
        join_options([("a 1", [DEADLINE]), ("b 2", [DEADLINE])])
