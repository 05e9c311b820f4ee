"""Topic patterns match as AMQP has them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac_sqlite.routing import topic_matches

WORDS = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=5).map(".".join)
PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "#"]), min_size=1, max_size=5).map(".".join)


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("*.b", "a.b", True),
        ("#", "", True),
        ("#", "a.b.c", True),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("#.c", "a.b.c", True),
        ("a.#.c", "a.c", True),
        ("a.#.c", "a.b.b.c", True),
        ("a.#.c", "a.b", False),
        ("a+", "aa", False),
        ("#.#.#.#.#.#.#.#.#.x", ".".join("a" * 500), False),
    ],
)
def test_a_pattern_takes_what_amqp_says(pattern, key, matches):
    assert topic_matches(pattern, key) is matches


@given(PATTERNS, WORDS)
def test_patterns_agree_with_a_regular_expression(pattern, key):
    # each word is written with its dot behind it
    expression = "".join(
        {"#": r"(?:[^.]*\.)*", "*": r"[^.]*\."}.get(word, re.escape(word) + r"\.") for word in pattern.split(".")
    )
    assert topic_matches(pattern, key) is bool(re.fullmatch(expression, key + "."))
