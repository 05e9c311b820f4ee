"""Schedulers that a test ticks by itself, and what they have sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from celeriac.beat import Scheduler


class Sending(Scheduler):
    """Notes what it sends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        super().__init__(*args, **kwargs)

    def send_task(self, name, args=(), kwargs=None, **options):
        self.sent.append((name, tuple(args), {**(kwargs or {}), "options": options}))


@pytest.fixture
def scheduler_of(make_app: Callable[..., Any]) -> Callable[..., Sending]:
    """Return ``scheduler_of(entries, **settings)``: a scheduler of these entries."""
    return lambda entries, **settings: Sending(make_app(beat_schedule=entries, **settings))


@pytest.fixture
def ago() -> Callable[..., None]:
    """Return ``ago(scheduler, name, seconds)``: have the entry have run so long ago."""
    from datetime import timedelta

    def set_back(scheduler: Scheduler, name: str, seconds: float) -> None:
        entry = scheduler.schedule[name]
        entry.last_run_at = entry.default_now() - timedelta(seconds=seconds)
        scheduler.populate_heap()

    return set_back
