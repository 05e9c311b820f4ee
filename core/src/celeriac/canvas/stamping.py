"""Stamps: names and values that a signature, and all that it consists of, carries in the headers of its messages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

from celeriac.canvas.options import listed

#: What is stamped by stamping its parts.
_COMPOSITE: Final = frozenset({"chain", "group", "chord"})


class StampingVisitor(ABC):
    """Says for each part of a canvas how it is stamped.

    Each method gives a map of stamps; if it has the key ``stamped_headers``, only the names listed there are stamps,
    and the rest are options.
    """

    @abstractmethod
    def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:
        """Called for each task."""

    def on_group_start(self, group: Any, **headers: Any) -> dict[str, Any] | None:
        """Called before the members of a group; what it gives is for all of them."""
        return {}

    def on_group_end(self, group: Any, **headers: Any) -> None:
        """Called after the members of a group."""

    def on_chain_start(self, chain: Any, **headers: Any) -> dict[str, Any] | None:
        """Called before the steps of a chain; what it gives is for all of them."""
        return {}

    def on_chain_end(self, chain: Any, **headers: Any) -> None:
        """Called after the steps of a chain."""

    def on_chord_header_start(self, sig: Any, **header: Any) -> dict[str, Any] | None:
        """Called before the header of a chord; what it gives is for all of the header."""
        return self.on_group_start(sig.header_group(), **header)

    def on_chord_header_end(self, sig: Any, **header: Any) -> None:
        """Called after the header of a chord."""
        self.on_group_end(sig.header_group(), **header)

    def on_chord_body(self, sig: Any, **header: Any) -> dict[str, Any] | None:
        """Called before the body of a chord; what it gives is for the body."""
        return {}

    def on_callback(self, callback: Any, **header: Any) -> dict[str, Any] | None:
        """Called for each callback; what it gives is for it."""
        return {}

    def on_errback(self, errback: Any, **header: Any) -> dict[str, Any] | None:
        """Called for each errback; what it gives is for it."""
        return {}


def stamp(signature: Any, visitor: StampingVisitor | None, append: bool, headers: Mapping[str, Any]) -> None:
    """Stamp it and everything in it; stamps that are there already are replaced, or added to with `append`."""
    stamp_links(signature, visitor, append, headers)
    if signature["subtask_type"] not in _COMPOSITE:
        own = visitor.on_signature(signature, **headers) if visitor is not None else None
        _put(signature, _with(headers, own), append)
        return
    kind = signature["subtask_type"]
    if kind == "chord":
        _stamp_chord(signature, visitor, append, headers)
        return
    start, end = _visits(visitor, kind)
    below = _with(headers, start(signature, **headers) if start is not None else None)
    for part in signature["kwargs"]["tasks"]:
        stamp(part, visitor, append, below)
    if end is not None:
        end(signature, **headers)


def _visits(visitor: StampingVisitor | None, kind: str) -> tuple[Any, Any]:
    """What to call before and after the parts."""
    if visitor is None:
        return None, None
    if kind == "chain":
        return visitor.on_chain_start, visitor.on_chain_end
    return visitor.on_group_start, visitor.on_group_end


def _stamp_chord(chord: Any, visitor: StampingVisitor | None, append: bool, headers: Mapping[str, Any]) -> None:
    below = _with(headers, visitor.on_chord_header_start(chord, **headers) if visitor is not None else None)
    for part in chord.header_group().tasks:
        stamp(part, visitor, append, below)
    if visitor is not None:
        visitor.on_chord_header_end(chord, **headers)
    if chord.body is not None:
        below = _with(headers, visitor.on_chord_body(chord, **headers) if visitor is not None else None)
        stamp(chord.body, visitor, append, below)


def stamp_links(signature: Any, visitor: StampingVisitor | None, append: bool, headers: Mapping[str, Any]) -> None:
    """Stamp the callbacks and errbacks."""
    visits = (("link", "on_callback"), ("link_error", "on_errback"))
    options = signature["options"]
    for key, visit in visits:
        links = [
            link if hasattr(link, "stamp") else signature.from_dict(link, app=signature.app)
            for link in listed(options.get(key))
        ]
        for link in links:
            own = getattr(visitor, visit)(link, **headers) if visitor is not None else None
            stamp(link, visitor, append, _with(headers, own))
        if links:
            options[key] = links


def _with(headers: Mapping[str, Any], more: Mapping[str, Any] | None) -> dict[str, Any]:
    """Both; the names of stamps add up."""
    found = {**headers, **(more or {})}
    named = _names(headers) | _names(more or {})
    if named:
        found["stamped_headers"] = sorted(named)
    return found


def _names(headers: Mapping[str, Any]) -> set[str]:
    named = headers.get("stamped_headers")
    return set(headers) if named is None else set(named)


def _put(signature: Any, headers: Mapping[str, Any], append: bool) -> None:
    options = dict(signature["options"])
    names = set(options.get("stamped_headers") or ())
    for key, value in headers.items():
        if key == "stamped_headers":
            continue
        if append and key in names and key in options:
            present = listed(options[key])
            options[key] = [*present, *(each for each in listed(value) if each not in present)]
        else:
            options[key] = value
    options["stamped_headers"] = sorted(names | (_names(headers) - {"stamped_headers"}))
    signature["options"] = options


__all__ = ["StampingVisitor", "stamp", "stamp_links"]
