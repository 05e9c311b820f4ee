"""Reads what is typed behind ``multi``: names of nodes, options for all workers, and options for some."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import click

#: An option of ``worker`` as it is handed on: ``-c 3`` is ("-c", "3"), ``-E`` is ("-E", None).
Option = tuple[str, str | None]

#: Signals that are sent to workers, without their prefix; other words are options.
_SIGNALS: Final = frozenset({"HUP", "INT", "KILL", "QUIT", "TERM", "USR1", "USR2"})


class NamespacedOptionParser:
    """The words of one call, which `parse` takes apart.

    `values` are the positional words, `options` those of all workers by name with their dashes, `special` those that
    were given as ``-c:NODES VALUE``, each with what stood behind the colon.  `passthrough` is what follows ``--``,
    itself included.

    `takes_value` knows the options of ``worker``: whether one takes a value; None for an option that it does not know,
    which takes the next word unless that is an option or the option is a long one.
    """

    def __init__(self, args: Sequence[str], takes_value: Callable[[str], bool | None] | None = None) -> None:
        self.args = args
        self.options: dict[str, str | None] = {}
        self.values: list[str] = []
        self.special: list[tuple[str, Option]] = []
        self.passthrough = ""
        self._takes_value = takes_value or _knows_none

    @property
    def namespaces(self) -> dict[str, dict[str, str | None]]:
        """The options of some nodes, by what stood behind their colon."""
        found: dict[str, dict[str, str | None]] = {}
        for nodes, (option, value) in self.special:
            found.setdefault(nodes, {})[option] = value
        return found

    def parse(self) -> None:
        """Take the words apart."""
        left = list(self.args)
        while left:
            word = left.pop(0)
            if word == "--":
                self.passthrough = shlex.join([word, *left])
                return
            if not word.startswith("-") or word == "-":
                self.values.append(word)
                continue
            option, nodes, value = _split(word)
            if value is None and self._wants(option, left):
                value = left.pop(0)
            self._add(option, value, nodes)

    def add_option(self, name: str, value: str | None, short: bool = False, ns: str | None = None) -> None:
        """Add an option, named without its dashes; `ns` says which nodes it is for, as behind a colon."""
        self._add(("-" if short else "--") + name, value, ns)

    def optmerge(self, ns: str, defaults: Mapping[str, str | None] | None = None) -> dict[str, str | None]:
        """The options of those nodes, over `defaults`, or over those of all."""
        return {**(self.options if defaults is None else defaults), **self.namespaces.get(ns, {})}

    def take(self, *spellings: str) -> str | None:
        """Take an option of all out; None where it was not given, "" where it had no value."""
        found = None
        for spelling in spellings:
            if spelling in self.options:
                found = self.options.pop(spelling) or ""
        return found

    def take_signal(self) -> str | None:
        """Take out an option that names a signal, as ``-SIGHUP``, ``-HUP`` or ``-9``."""
        for option in self.options:
            if _is_signal(option):
                del self.options[option]
                return option[1:].upper()
        return None

    def _add(self, option: str, value: str | None, nodes: str | None) -> None:
        if nodes is None:
            self.options[option] = value
        else:
            self.special.append((nodes, (option, value)))

    def _wants(self, option: str, left: list[str]) -> bool:
        """Whether the next word is the option's value."""
        if not left or (left[0].startswith("-") and left[0] != "-"):
            return False
        known = self._takes_value(option)
        if known is not None:
            return known
        return not option.startswith("--") and not _is_signal(option)


def _knows_none(_: str) -> bool | None:
    return None


def _is_signal(option: str) -> bool:
    name = option[1:].upper()
    return name.isdecimal() or (name.startswith("SIG") and name.isalnum() and len(name) > 3) or name in _SIGNALS


def _split(word: str) -> tuple[str, str | None, str | None]:
    """The option, the nodes behind its colon, and the value behind its equals sign."""
    option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
    option, colon, nodes = option.partition(":")
    return option, nodes if colon else None, value if equals else None


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
