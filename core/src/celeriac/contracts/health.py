"""A question about the health of a process, and its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class HealthCheck(NamedTuple):
    """`check` returns None when all is well, else a sentence for whoever looks; it must not block."""

    name: str
    check: Callable[[], str | None]
