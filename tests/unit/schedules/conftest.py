"""A clock that a test sets, and an app in a time zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest


class Clock:
    """Shows what it was set to: ``clock.now`` is a `nowfun`."""

    def __init__(self) -> None:
        self.moment = datetime(2024, 5, 15, 12, 0, tzinfo=UTC)

    def set(self, *parts: int) -> None:
        self.moment = datetime(*parts, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app_in(make_app: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``app_in(zone)``: an app in that time zone."""
    return lambda zone, **settings: make_app(timezone=zone, **settings)
