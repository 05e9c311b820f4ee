"""Raising another error than `asyncio.CancelledError` in a coroutine that is cancelled."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any


@types.coroutine
def drive(coroutine: Coroutine[Any, Any, Any], swap: Callable[[], BaseException | None]) -> Generator[Any, Any, Any]:
    """Await `coroutine`; where it would be cancelled, raise what `swap` gives in its place, unless that is None.

    Event loops only know how to cancel.  So the steps of the coroutine pass through here, and its errors with them.
    """
    send: Any = None
    error: BaseException | None = None
    try:
        while True:
            try:
                if error is None:
                    waited_for = coroutine.send(send)
                else:
                    raised, error = error, None
                    waited_for = coroutine.throw(raised)
            except StopIteration as end:
                return end.value
            try:
                send = yield waited_for
            except asyncio.CancelledError as cancelled:
                error = swap() or cancelled
            except GeneratorExit:
                raise
            except BaseException as other:  # noqa: BLE001  # is for the coroutine, as all else
                error = other
    finally:
        coroutine.close()
