"""What a YAML text may ask of its reader, seen from its events before anything is built of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, ScalarEvent

#: The longest text that is read or written, in bytes: what is built of it takes some fifty times as much.
MAX_BYTES: Final = 16 * 1024 * 1024
#: Deepest nesting of lists and maps: the composer calls itself for each level, and its stack is that of C.
MAX_DEPTH: Final = 100
#: How many values aliases may add to those that are written out, so that no short text becomes a huge value.
MAX_ALIASED: Final = 100_000

#: A number to the base 60 (``1:30:00``) is read in a time that grows with the square of its length.
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9][0-9_]*:[0-9_:.]*")
_LONGEST_NUMBER: Final = 1000


class TooMuch(Exception):  # no error of the text's form
    """The text asks for more than is granted; the message says of what."""


class _Open:
    """A list or map whose end has not come, or the whole."""

    __slots__ = ("anchor", "size")

    def __init__(self, anchor: str | None) -> None:
        self.anchor = anchor
        self.size = 0


class _Census:
    """What has been seen of a text."""

    def __init__(self) -> None:
        self._open = [_Open(None)]
        #: How many values each anchor stands for.
        self._sizes: dict[str, int] = {}
        self._aliased = 0
        self.documents = 0

    def see(self, event: Any) -> None:
        """Count one more.  Raises `TooMuch`."""
        if isinstance(event, ScalarEvent):
            if len(event.value) > _LONGEST_NUMBER and _SEXAGESIMAL.fullmatch(event.value):
                raise TooMuch(f"a number of {len(event.value)} characters is not read")
            self._add(event.anchor, 1)
        elif isinstance(event, CollectionStartEvent):
            self._open.append(_Open(event.anchor))
            self._sizes.pop(event.anchor, None)  # an alias in it would mean this one, not an earlier one of the name
            if len(self._open) - 1 > MAX_DEPTH:
                raise TooMuch(f"it is nested deeper than {MAX_DEPTH} levels")
        elif isinstance(event, CollectionEndEvent):
            closed = self._open.pop()
            self._add(closed.anchor, closed.size + 1)
        elif isinstance(event, AliasEvent):
            self._alias(event.anchor)
        elif isinstance(event, DocumentStartEvent):
            self.documents += 1

    def _add(self, anchor: str | None, size: int) -> None:
        self._open[-1].size += size
        if anchor is not None:
            self._sizes[anchor] = size

    def _alias(self, anchor: str) -> None:
        size = self._sizes.get(anchor)
        if size is None:
            raise TooMuch(f"the alias {anchor[:50]!r} stands for nothing, or for what it is a part of")
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            raise TooMuch(f"its aliases stand for more than {MAX_ALIASED} values")
        self._add(None, size)


def check(events: Iterable[Any]) -> None:
    """Raises `TooMuch`, and what the parser raises."""
    census = _Census()
    for event in events:
        census.see(event)
    if census.documents != 1:
        raise TooMuch(f"it holds {census.documents} documents, not one")
