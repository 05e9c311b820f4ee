"""Signals by name and number."""

from __future__ import annotations

import signal
from typing import Any


def signal_number(given: Any) -> int:
    """The number of ``"SIGTERM"``, ``"TERM"``, 15 or ``"15"``; that of SIGTERM for None.  Raises ValueError."""
    if given is None:
        return signal.SIGTERM
    try:
        if isinstance(given, int) or (isinstance(given, str) and given.isdecimal()):
            return signal.Signals(int(given))
        name = str(given).upper()
        return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
    except (KeyError, ValueError):
        raise ValueError(f"{given!r} is no signal of this system") from None
