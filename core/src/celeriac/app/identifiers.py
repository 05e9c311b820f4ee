"""Ids of tasks and groups."""

from __future__ import annotations

from os import urandom


def uuid() -> str:
    """A new random id, in the form of a version 4 UUID."""
    value = int.from_bytes(urandom(16), "big")
    value = value & ~(0xF000 << 64) & ~(0xC000 << 48) | (4 << 76) | (0x8000 << 48)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
