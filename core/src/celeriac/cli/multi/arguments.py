"""Reads what is typed behind ``multi``: names of nodes, options for all workers, and options for some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import click

#: An option of ``worker`` as it is handed on: ``-c 3`` is ("-c", "3"), ``-E`` is ("-E", None).
Option = tuple[str, str | None]


@dataclass(slots=True)
class Arguments:
    """The words of one call.

    `common` holds the options of all workers by name, `special` those that were given as ``-c:NODES VALUE``, with
    what stood behind the colon.  `rest` is what follows ``--``, itself included.
    """

    names: list[str] = field(default_factory=list)
    common: dict[str, str | None] = field(default_factory=dict)
    special: list[tuple[str, Option]] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)

    def take(self, *spellings: str) -> str | None:
        """Take an option out of the common ones; None where it was not given, "" where it had no value."""
        found = None
        for spelling in spellings:
            if spelling in self.common:
                found = self.common.pop(spelling) or ""
        return found

    def take_signal(self) -> str | None:
        """Take out an option that names a signal, as ``-SIGHUP``, ``-HUP`` or ``-9``."""
        for option in self.common:
            if _is_signal(option):
                del self.common[option]
                return option[1:].upper()
        return None


def _is_signal(option: str) -> bool:
    name = option[1:].upper()
    return name.isdecimal() or (name.startswith("SIG") and name.isalnum() and len(name) > 3) or name in _SIGNALS


#: Signals that are sent to workers, without their prefix; other words are options.
_SIGNALS: Final = frozenset({"HUP", "INT", "KILL", "QUIT", "TERM", "USR1", "USR2"})


def parse(words: Sequence[str], takes_value: Callable[[str], bool | None]) -> Arguments:
    """Take the words of a call apart.

    `takes_value` knows the options of ``worker``: whether one takes a value; None for an option that it does not
    know, which takes the next word unless that is an option or the option is a long one.
    """
    found = Arguments()
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            found.rest = ["--", *left]
            break
        if not word.startswith("-") or word == "-":
            found.names.append(word)
            continue
        option, nodes, value = _split(word)
        if value is None and _wants(option, takes_value, left):
            value = left.pop(0)
        if nodes is None:
            found.common[option] = value
        else:
            found.special.append((nodes, (option, value)))
    return found


def _split(word: str) -> tuple[str, str | None, str | None]:
    """The option, the nodes behind its colon, and the value behind its equals sign."""
    option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
    option, colon, nodes = option.partition(":")
    return option, nodes if colon else None, value if equals else None


def _wants(option: str, takes_value: Callable[[str], bool | None], left: list[str]) -> bool:
    """Whether the next word is the option's value."""
    if not left or (left[0].startswith("-") and left[0] != "-"):
        return False
    known = takes_value(option)
    if known is not None:
        return known
    return not option.startswith("--") and not _is_signal(option)


def numbers(text: str) -> list[str]:
    """``1,3-5`` as 1, 3, 4, 5; names stay as they are.  Raises `UsageError` for a range that runs backwards."""
    found: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, dash, last = part.partition("-")
        if not (dash and first.isdecimal() and last.isdecimal()):
            found.append(part)
            continue
        if int(last) < int(first):
            raise click.UsageError(f"{part!r} is no range: it must run upwards, as in 1-3")
        found += map(str, range(int(first), int(last) + 1))
    return found


def words_of(options: Iterable[Option]) -> list[str]:
    """The options as words of a command line."""
    found: list[str] = []
    for option, value in options:
        if value is None:
            found.append(option)
        elif option.startswith("--"):
            found.append(f"{option}={value}")
        else:
            found += [option, value]
    return found
