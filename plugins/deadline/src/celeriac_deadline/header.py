"""The message header ``deadline``: seconds since the epoch, as a number."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

HEADER: Final = "deadline"

logger = logging.getLogger("celeriac_deadline")


def moment(value: Any) -> float | None:
    """Seconds since the epoch from a number, a datetime or an ISO 8601 text; None stays None.

    Raises ValueError for anything else.
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(
            f"the header deadline must be seconds since the epoch, a datetime or an ISO 8601 text, not {value!r}"
        )
    return float(value)


def received(headers: Mapping[str, Any] | None) -> float | None:
    """The deadline of a message that somebody else has written: what cannot be read counts as none, and is logged."""
    value = (headers or {}).get(HEADER)
    if value is None:
        return None
    try:
        return moment(value)
    except (ValueError, OverflowError):
        logger.warning("A message has a deadline that cannot be read, and so has none: %.100r", value)
        return None
