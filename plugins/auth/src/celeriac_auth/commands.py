"""Commands of remote control that count for a while, and once."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from typing import Any, Final

from celeriac_auth.replay import ProcessGuard
from celeriac_auth.serializer import CONTENT_TYPE

#: Where the body of a command says when it was sent; the signature of the body covers it.
FIELD: Final = "security"
#: Seconds for which a command counts: as long as it may wait in the mailbox of a worker.
MAX_AGE: Final = 300.0


class FreshCommands:
    """`skew` is by how many seconds clocks may differ."""

    def __init__(self, skew: float) -> None:
        self._skew = skew
        self._since = time.time()
        self._seen = ProcessGuard()

    def mark(self, body: dict[str, Any]) -> None:
        """Say when it was sent."""
        body[FIELD] = {"at": round(time.time(), 3), "nonce": os.urandom(16).hex()}

    def check(self, body: Any, content_type: str) -> str | None:
        """Why it is refused: unsigned, too old, sent before this process was there, or obeyed already."""
        if content_type != CONTENT_TYPE:
            return "the command is not signed"
        mark = body.get(FIELD) if isinstance(body, Mapping) else None
        at, nonce = (mark.get("at"), mark.get("nonce")) if isinstance(mark, Mapping) else (None, None)
        if not isinstance(at, float) or not math.isfinite(at) or not isinstance(nonce, str) or len(nonce) > 64:
            return "the command does not say when it was sent (security_sign_headers, at the sender's)"
        now = time.time()
        if at > now + self._skew:
            return f"the command was sent {at - now:.0f} s in the future: set the clocks right"
        if at < max(now - MAX_AGE, self._since) - self._skew:
            return f"the command was sent {now - at:.0f} s ago, which is too long, or before this process was there"
        if not self._seen.admit(nonce, MAX_AGE + 2 * self._skew, redelivered=False):
            return "the command was received before: this is a copy of it"
        return None
