"""How large and how deep JSON may be, and a fast way to see that it is too deep."""

from __future__ import annotations

from itertools import accumulate
from typing import Final

__all__ = ["MAX_BYTES", "MAX_DEPTH", "nests_too_deep"]

#: Longest JSON text in bytes: what RabbitMQ takes by default, and half of what a cautious store does.
MAX_BYTES: Final = 128 * 1024 * 1024
#: Deepest nesting of lists and maps. Below what the parser's own guard allows at the usual
#: recursion limit, so that what one process could write another can read.
MAX_DEPTH: Final = 500

_NOT_STRUCTURE: Final = bytes(sorted(set(range(256)) - set(b'[]{}"')))
#: Opening brackets count +1, closing ones -1 (as a signed byte).
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_PEELED: Final = 8


def nests_too_deep(data: bytes) -> bool:
    """Whether JSON text `data` nests deeper than MAX_DEPTH.

    Text that is no JSON may give either answer: the parser will refuse it.
    """
    if len(data) <= 2 * MAX_DEPTH or data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    return _depth(data) > MAX_DEPTH


def _depth(data: bytes) -> int:
    # Each step is one call into C over the whole text; a loop in Python would cost more than the parsing.
    if b"\\" in data:  # first what an escape could hide: \\ before \", as the parser reads from the left
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Now every quote opens or closes a string. Two neighbours can be dropped without changing that for the rest.
    brackets = data.translate(None, _NOT_STRUCTURE).replace(b'""', b"")
    if b'"' in brackets:
        brackets = b"".join(brackets.split(b'"')[::2])
    peeled = 0
    while len(brackets) > MAX_DEPTH and peeled < _PEELED:  # innermost pairs, a level at a time
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        peeled += 1
    return peeled + max(accumulate(memoryview(brackets.translate(_STEPS)).cast("b")), default=0)
