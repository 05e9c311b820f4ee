"""Commands of remote control: when they count, and whose."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from fnmatch import translate
from typing import TYPE_CHECKING, Any, Final

from celeriac_auth.replay import ProcessGuard
from celeriac_auth.serializer import CONTENT_TYPE

if TYPE_CHECKING:
    from celeriac_auth.certificates import Certificate
    from celeriac_auth.serializer import SignedContent

logger = logging.getLogger("celeriac_auth")

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

    def check(self, body: Any, content_type: str, _data: bytes = b"") -> str | None:
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


class CommandRights:
    """Who may command: those one of whose names is covered by one of the `patterns`.

    A certificate has two: its subject ("CN=ops,O=Example", as RFC 4514 writes it) and its id, issuer and serial number,
    as logs show it.
    """

    def __init__(self, content: SignedContent, patterns: Sequence[str]) -> None:
        self._content = content
        self._patterns = [re.compile(translate(pattern)) for pattern in patterns]
        self._is_told = self._covers(content.identity.certificate)

    def mark(self, _body: dict[str, Any]) -> None:
        """Say once if workers with the same settings will refuse what is sent here."""
        if not self._is_told:
            self._is_told = True
            logger.warning(
                "Workers refuse commands of this process: security_command_signers does not name its certificate, %s",
                _names(self._content.identity.certificate)[0],
            )

    def check(self, _body: Any, content_type: str, data: bytes) -> str | None:
        """Why it is refused."""
        if content_type != CONTENT_TYPE:
            return "the command is not signed"
        certificate = self._content.signer_of(data)
        if self._covers(certificate):
            return None
        return f"{_names(certificate)[0]!r} may not command here (security_command_signers)"

    def _covers(self, certificate: Certificate) -> bool:
        return any(pattern.match(name) for pattern in self._patterns for name in _names(certificate))


def _names(certificate: Certificate) -> tuple[str, str]:
    return certificate.x509.subject.rfc4514_string(), certificate.get_id()
