"""A signature of the whole message, headers included, in one header of it."""

from __future__ import annotations

import binascii
import json
import math
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from celeriac.exceptions import SecurityError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celeriac.contracts import Delivery, OutgoingMessage
    from celeriac_auth.identity import Identity, Trust

#: The header.
HEADER: Final = "celeriac-signature"
#: What brokers add on the way.  All other headers are covered, whoever has set them.
_ADDED: Final = frozenset({HEADER, "redelivered", "x-delivery-count", "x-acquired-count", "x-stream-offset"})
_ADDED_PREFIXES: Final = ("x-death", "x-first-death-", "x-last-death-")
#: Stands before what is signed, so that no signature of anything else is one of a message.
_PURPOSE: Final = b"celeriac task message, version 1\n"
_LONGEST: Final = 16 * 1024


class Proof(NamedTuple):
    """What a signature says of itself: who, when (seconds since the epoch), and a word that no other one has."""

    signer: str
    at: float
    nonce: str


class HeaderSignature:
    """Signs messages and verifies them.

    A message counts for `max_age` seconds from when it was signed, or from its ETA.
    """

    def __init__(self, identity: Identity, trust: Trust, max_age: float) -> None:
        self._identity = identity
        self._trust = trust
        self._max_age = max_age

    def sign(self, message: OutgoingMessage) -> None:
        """Put the header into the message, in the place of any that is there."""
        told = json.dumps([self._identity.id, round(time.time(), 3), os.urandom(16).hex()])
        head = urlsafe_b64encode(told.encode())
        signature = self._identity.sign(_covered(head, message))
        message.headers[HEADER] = b".".join([b"1", head, urlsafe_b64encode(signature)]).decode()

    def verify(self, delivery: Delivery) -> Proof:
        """Raises `SecurityError` where the message has no signature, a wrong one, or one that does not count now."""
        value = delivery.headers.get(HEADER)
        if value is None:
            raise SecurityError("its headers are not signed, and security_sign_headers is on")
        proof, head, signature = _parsed(value)
        self._trust.verify(proof.signer, _covered(head, delivery), signature)
        now, skew = time.time(), self._trust.skew
        if proof.at > now + skew:
            raise SecurityError(f"it was signed {proof.at - now:.0f} s in the future: set the clocks right")
        if now > (ends := self.ends(proof, delivery.headers)) + skew:
            raise SecurityError(f"its signature was good until {now - ends:.0f} s ago (security_max_age)")
        return proof

    def ends(self, proof: Proof, headers: Mapping[str, Any]) -> float:
        """When the signature is too old, in seconds since the epoch."""
        return max(proof.at, _moment(headers.get("eta"))) + self._max_age

    def seconds_left(self, proof: Proof, headers: Mapping[str, Any]) -> float:
        """For how long the message can be accepted from now on: while its signature counts and it has not expired."""
        ends = self.ends(proof, headers)
        expires = _moment(headers.get("expires"))
        return max((min(ends, expires) if expires else ends) + self._trust.skew - time.time(), 0.0) + 1.0


def proof_in(headers: Mapping[str, Any] | None) -> Proof | None:
    """What the header says, where there is one; whether it is true is for `HeaderSignature.verify`."""
    value = (headers or {}).get(HEADER)
    return None if value is None else _parsed(value)[0]


def _parsed(value: Any) -> tuple[Proof, bytes, bytes]:
    try:
        if len(value) > _LONGEST:
            raise ValueError
        version, head, signature = value.encode("ascii").split(b".")
        if version != b"1":
            raise ValueError
        signer, at, nonce = json.loads(urlsafe_b64decode(head))
        proof = Proof(str(signer), float(at), str(nonce))
        if len(proof.nonce) != 32 or not math.isfinite(proof.at):
            raise ValueError
        return proof, head, urlsafe_b64decode(signature)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error):
        raise SecurityError(f"its header {HEADER} is of a form that is not known here") from None


def _covered(head: bytes, message: OutgoingMessage | Delivery) -> bytes:
    """What is signed: the same bytes before and after any broker."""
    headers = {
        name: value
        for name, value in message.headers.items()
        if name not in _ADDED and not name.startswith(_ADDED_PREFIXES)
    }
    properties = message.properties
    facts = [
        headers,
        message.content_type,
        message.content_encoding,
        properties.get("correlation_id"),
        properties.get("reply_to"),
    ]
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return b"\n".join([_PURPOSE + head, sha256(text.encode()).hexdigest().encode(), sha256(message.body).digest()])


def _moment(value: Any) -> float:
    """An ISO 8601 text in seconds since the epoch; 0 for anything else."""
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        return 0.0
