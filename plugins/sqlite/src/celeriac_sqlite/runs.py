"""Sorted numbers as runs: what is claimed and settled in batches is nearly always contiguous."""

from __future__ import annotations

from collections.abc import Iterable


def runs_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """The numbers as pairs of first and last, so that a statement can name many of them at once."""
    found: list[tuple[int, int]] = []
    first = last = None
    for number in sorted(numbers):
        if first is None or last is None:
            first = last = number
        elif number == last + 1:
            last = number
        else:
            found.append((first, last))
            first = last = number
    if first is not None and last is not None:
        found.append((first, last))
    return found
