"""Calls as data, and ways to combine them."""

from __future__ import annotations

from celeriac.canvas.group import group
from celeriac.canvas.signature import Signature, maybe_signature, signature

__all__ = ["Signature", "group", "maybe_signature", "signature"]
