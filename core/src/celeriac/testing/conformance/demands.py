"""How a test ends that does not pass."""

from __future__ import annotations

import unittest
from collections.abc import Sequence
from typing import NoReturn


class Violation(AssertionError):
    """A driver does not do what its contract says."""


class NotClaimed(Exception):  # no error of the driver; a failure where the suite does not say so
    """The driver does not claim to do what the test is about; `missing` names that."""

    def __init__(self, reason: str, missing: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.missing = tuple(missing)


class KnownGap(unittest.SkipTest):  # no error, either; pytest knows a SkipTest and reports it as skipped
    """The driver fails the test, and its author has said so."""


def demand(condition: object, message: str) -> None:
    """Fail the test unless `condition` is true; `message` says what the contract demands and what was seen."""
    if not condition:
        fail(message)


def fail(message: str) -> NoReturn:
    """Fail the test."""
    raise Violation(message)
