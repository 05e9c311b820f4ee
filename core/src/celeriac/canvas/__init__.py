"""Calls as data, and ways to combine them."""

from __future__ import annotations

from celeriac.canvas.chain import chain
from celeriac.canvas.chord import _chord, chord
from celeriac.canvas.group import group
from celeriac.canvas.maps import chunks, xmap, xstarmap
from celeriac.canvas.signature import Signature, maybe_signature, maybe_subtask, signature, subtask
from celeriac.canvas.stamping import StampingVisitor

_chain = chain

__all__ = [
    "Signature",
    "StampingVisitor",
    "_chain",
    "_chord",
    "chain",
    "chord",
    "chunks",
    "group",
    "maybe_signature",
    "maybe_subtask",
    "signature",
    "subtask",
    "xmap",
    "xstarmap",
]
