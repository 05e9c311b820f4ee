"""Reprs for people: bounded in length and work, and never an error."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque, namedtuple
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.protocol.reprs import safe_repr

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | st.frozensets(st.integers(), max_size=4)
    ),
    max_leaves=15,
)

Point = namedtuple("Point", "x y")


@dataclass
class Order:
    id: int
    lines: list[Any] = field(default_factory=list)
    secret: str = field(default="s", repr=False)


class Rude:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


class TestWhatFits:
    @given(plain)
    def test_looks_as_python_shows_it(self, value: Any) -> None:
        assert safe_repr(value, maxlen=10**6, maxlevels=50) == repr(value)

    @pytest.mark.parametrize(
        "value",
        [(), {}, [], set(), frozenset(), (1,), [1], {1}, (2, 3), {"x": 1}, "x", b"x", 1.5, None, True, deque([1])],
    )
    def test_looks_so_with_the_defaults_too(self, value: Any) -> None:
        assert safe_repr(value) == repr(value)

    def test_an_object_speaks_for_itself(self) -> None:
        assert safe_repr([Decimal("1.5")]) == "[Decimal('1.5')]"

    def test_a_subclass_with_a_repr_of_its_own_is_named(self) -> None:
        assert safe_repr(OrderedDict(a=1)) == "OrderedDict({'a': 1})"
        assert safe_repr(Counter("a")) == "Counter({'a': 1})"
        assert safe_repr(Point(1, 2)) == "Point((1, 2))"

    def test_a_dataclass_shows_its_fields_save_those_it_hides(self) -> None:
        assert safe_repr([Order(1, [2])]) == "[Order(id=1, lines=[2])]"


class TestWhatDoesNotFit:
    @given(plain, st.integers(3, 60), st.integers(0, 5))
    def test_is_cut_to_the_length(self, value: Any, maxlen: int, maxlevels: int) -> None:
        assert len(safe_repr(value, maxlen, maxlevels)) <= maxlen

    # without quotation marks: which kind repr uses depends on the part that is cut off
    @given(st.lists(st.text(st.characters(exclude_characters="'")), min_size=1), st.integers(3, 60))
    def test_is_a_beginning_with_dots(self, value: list[str], maxlen: int) -> None:
        whole, shown = repr(value), safe_repr(value, maxlen)
        assert shown == whole if len(whole) <= maxlen else shown == whole[: maxlen - 3] + "..."

    def test_beyond_the_levels_shows_dots(self) -> None:
        assert safe_repr([[[[1]]]]) == "[[[...]]]"
        assert safe_repr(([1],), maxlevels=1) == "(...,)"
        assert safe_repr({"a": {"b": {"c": {"d": 1}}}}) == "{'a': {'b': {'c': ...}}}"
        assert safe_repr([[[]]], maxlevels=0) == "..."

    def test_a_cycle_shows_dots(self) -> None:
        ring: list[Any] = [1]
        ring.append(ring)
        assert safe_repr(ring, maxlevels=50) == "[1, ...]"
        table: dict[str, Any] = {}
        table["self"] = table
        assert safe_repr(table, maxlevels=50) == "{'self': ...}"

    def test_the_same_object_twice_is_no_cycle(self) -> None:
        one = [1]
        assert safe_repr([one, one]) == "[[1], [1]]"

    @pytest.mark.parametrize(
        "value",
        [
            "x" * 50_000_000,
            b"x" * 50_000_000,
            list(range(2_000_000)),
            dict.fromkeys(range(2_000_000)),
            1 << 30_000_000,
            [[["x" * 1000] * 1000] * 1000] * 1000,
            Order(1, list(range(2_000_000))),
        ],
        ids=["text", "bytes", "list", "dict", "int", "product", "dataclass"],
    )
    def test_a_huge_value_costs_no_more_than_what_is_shown(self, value: Any) -> None:
        started = time.process_time()
        shown = safe_repr(value)
        assert len(shown) <= 1024
        # A full repr of any of these takes ten times that and more.
        assert time.process_time() - started < 0.05

    def test_a_deep_value_does_not_use_up_the_stack(self) -> None:
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        assert safe_repr(deep, maxlevels=10**6) == "[" * 100 + "..." + "]" * 100

    def test_a_large_integer_tells_its_size(self) -> None:
        assert safe_repr([10**5000]) == "[<int of 16610 bits>]"
        assert safe_repr(-(10**5000)) == "<negative int of 16610 bits>"


class TestForeignCode:
    def test_a_repr_that_raises_is_shown_by_type_and_error(self) -> None:
        shown = safe_repr([1, Rude(ValueError("x")), 2])
        assert shown.startswith("[1, <Rude at 0x")
        assert shown.endswith("repr failed with ValueError>, 2]")

    def test_a_repr_that_recurses_for_ever_is_shown_so(self) -> None:
        class Endless:
            def __repr__(self) -> str:
                return repr(self)

        assert "RecursionError" in safe_repr(Endless())

    def test_a_repr_that_is_no_text_is_shown_so(self) -> None:
        class Odd:
            def __repr__(self) -> str:
                return 5  # type: ignore[return-value]  # the point of the test

        assert "TypeError" in safe_repr(Odd())

    def test_a_container_that_cannot_be_walked_is_shown_so(self) -> None:
        class Broken(list[int]):
            def __len__(self) -> int:
                raise RuntimeError

        assert "RuntimeError" in safe_repr([Broken()])

    def test_half_a_surrogate_pair_is_escaped(self) -> None:
        class Odd:
            def __repr__(self) -> str:
                return "\ud800é"

        assert safe_repr(Odd()) == "\\ud800é"

    def test_an_interrupt_passes(self) -> None:
        with pytest.raises(KeyboardInterrupt):
            safe_repr(Rude(KeyboardInterrupt()))
