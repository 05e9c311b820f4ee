"""Threads of a test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from celeriac.testing.conformance.demands import demand

_T = TypeVar("_T")


def together(actions: Sequence[Callable[[], _T]]) -> list[_T]:
    """What these give, each in a thread of its own, all beginning at once.

    The test fails with what one of them raises.
    """
    start = threading.Barrier(len(actions))
    given: list[_T] = []
    errors: list[BaseException] = []

    def run(action: Callable[[], _T]) -> None:
        try:
            start.wait()
            given.append(action())
        except BaseException as error:  # noqa: BLE001  # carried to the thread that judges
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    demand(not errors, f"{len(threads)} threads at once: {errors[:1]!r}")
    return given
