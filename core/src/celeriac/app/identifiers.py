"""Ids of tasks and groups."""

from __future__ import annotations

from os import urandom
from typing import Final

#: The digit that says "variant 1", by the random one in its place: it keeps two bits of that.
_VARIANTS: Final = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}


def uuid() -> str:
    """A new random id, in the form of a version 4 UUID."""
    digits = urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:]}"
