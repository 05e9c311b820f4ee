"""Markers are read from source: of functions, classes and modules."""

from __future__ import annotations

import pytest
from celery_surface.markers import MarkerError, read

MODULE = """
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.covers("of.module")]

@pytest.mark.covers("one", "other")
@pytest.mark.parametrize("way", [pytest.param(1, marks=pytest.mark.covers("of.case"))])
def test_of_function(way): run("--autoscale=3,1 -c")

@pytest.mark.covers("nobody")
def helper(): pass

@pytest.mark.covers("of.class")
class TestOfClass:
    pytestmark = pytest.mark.covers("of.body")

    async def test_of_method(self): pass
"""


def test_a_test_shows_what_it_its_class_and_its_module_say():
    found = {each.test: set(each.names) for each in read(MODULE, "t.py")}

    assert found == {
        "t.py::test_of_function": {"of.module", "one", "other", "of.case"},
        "t.py::TestOfClass::test_of_method": {"of.module", "of.class", "of.body"},
    }


def test_the_words_of_a_test_are_kept_for_the_options_of_commands():
    assert {"--autoscale", "-c"} <= read(MODULE, "t.py")[0].words


def test_a_name_that_is_not_written_out_is_an_error():
    with pytest.raises(MarkerError, match=r"t\.py:2: the names of a marker must be written out"):
        read("import pytest\n@pytest.mark.covers(NAME)\ndef test_it(): pass\n", "t.py")


def test_without_the_marker_a_test_shows_nothing():
    assert read("def test_it(): pass\n", "t.py") == []
