"""Raising an exception in another thread."""

from __future__ import annotations


class JobTerminated(SystemExit):
    """Raised in a thread whose job is to end; no ``except Exception`` of the task stands in its way."""


def interrupt(thread: int, error: type[BaseException] | None) -> None:
    """Have `error` raised in the thread with this identifier, as soon as it runs Python code.

    None takes back what was not raised yet.
    """
    import ctypes  # only where a soft limit is reached: it is slow to import

    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(error) if error is not None else None
    )
