"""The properties of a task message: what the broker reads, beside headers and body."""

from __future__ import annotations

from typing import Any, Final

from celeriac.exceptions import ProtocolError
from celeriac.protocol.shapes import described

__all__ = ["MAX_EXPIRATION_MS", "PERSISTENT", "TRANSIENT", "build_properties", "expiration"]

TRANSIENT: Final = 1
PERSISTENT: Final = 2

#: The longest expiration that RabbitMQ takes (49.7 days); it closes the channel for a longer one.
MAX_EXPIRATION_MS: Final = 2**32 - 1


def build_properties(
    task_id: str,
    reply_to: str = "",
    priority: int | None = None,
    expires_seconds: float | None = None,
    delivery_mode: int = PERSISTENT,
    content_type: str | None = None,
    content_encoding: str | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """The properties of one message. `expires_seconds` is the time left, 0 or less when it is over.

    What is None is left out. `extra` are properties of the caller (``message_id``, ``MessageGroupId``, ...),
    merged over the rest.
    """
    found: dict[str, Any] = {"correlation_id": task_id, "reply_to": reply_to, "delivery_mode": delivery_mode}
    if priority is not None:
        found["priority"] = priority
    if expires_seconds is not None:
        text = expiration(expires_seconds)
        if text is not None:
            found["expiration"] = text
    if content_type is not None:
        found["content_type"] = content_type
    if content_encoding is not None:
        found["content_encoding"] = content_encoding
    if extra:
        found.update(extra)
    return found


def expiration(seconds: Any) -> str | None:
    """The property ``expiration``: whole milliseconds as text, "0" for what has expired already.

    None for what brokers cannot count; the worker still goes by the header ``expires``.
    Raises ProtocolError for NaN and for what is no number.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds != seconds:  # noqa: PLR0124  # NaN
        raise ProtocolError(f"expiration: expected a number of seconds, found {described(seconds)}")
    if seconds <= 0:
        return "0"
    if seconds > MAX_EXPIRATION_MS / 1000:
        return None
    return str(int(seconds * 1000))
