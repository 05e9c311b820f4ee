"""The workers that one call of ``multi`` is about."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from celeriac.cli.multi.arguments import Arguments, numbers, words_of
from celeriac.protocol.origin import hostname, nodename

_PIDFILE: Final = "/var/run/celery"
_LOGFILE: Final = "/var/log/celery"
#: Options of `worker` that are decided here, and their other spellings.
_SPELLINGS: Final = {"--hostname": "-n", "--logfile": "-f"}


@dataclass(frozen=True, slots=True)
class Node:
    """One worker: `name` is ``name@host``, `command` what starts it, `arguments` the part of that which is its own."""

    name: str
    pidfile: Path
    logfile: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The command as it would be typed."""
        return shlex.join(self.command)


def nodes_of(given: Arguments, before: list[str]) -> list[Node]:
    """The nodes that were named, each with its options.  Raises `UsageError` where that makes no sense.

    `before` are the words of the global options.  `given` loses the options that are about all of them.
    """
    prefix = given.take("--range-prefix") or "celery"
    command = _command(given, before)
    before_name, after_name = given.take("--prefix") or "", given.take("--suffix") or ""
    host = given.take("--hostname", "-n") or ""
    names = _names(given.names, prefix)
    if not names:
        raise click.UsageError("which workers? Name them, as in `celeriac multi start one two`, or say how many")
    special = _special(given, names)
    found = []
    for position, name in enumerate(names):
        options = {**given.common, **special[position]}
        full = _full_name(before_name + name + after_name, options.pop("-n", None) or "", host)
        found.append(_node(full, options, command, given.rest))
    twice = sorted({node.name for node in found if sum(other.name == node.name for other in found) > 1})
    if twice:
        raise click.UsageError(f"several workers would be called {', '.join(twice)}")
    return found


def _command(given: Arguments, before: list[str]) -> list[str]:
    """What is typed before the options of a worker."""
    python = given.take("--executable") or sys.executable
    program = given.take("--cmd")
    if program:
        return [*shlex.split(program), *before]
    return [python, "-m", "celeriac", *before, "worker", "--detach"]


def _names(words: list[str], prefix: str) -> list[str]:
    """A number alone means so many, a range those numbers; everything else is a name."""
    if len(words) == 1 and words[0].isdecimal():
        return [f"{prefix}{number}" for number in range(1, int(words[0]) + 1)]
    if len(words) == 1 and numbers(words[0]) != words:
        return [f"{prefix}{part}" if part.isdecimal() else part for part in numbers(words[0])]
    return words


def _special(given: Arguments, names: list[str]) -> list[dict[str, str | None]]:
    """The options of each node that not all have."""
    found: list[dict[str, str | None]] = [{} for _ in names]
    places = {str(number): number - 1 for number in range(1, len(names) + 1)}
    for place, name in enumerate(names):
        places[name] = places[name.partition("@")[0]] = place
    for text, (option, value) in given.special:
        for wanted in numbers(text):
            if wanted not in places:
                raise click.UsageError(f"{option}:{text} is for {wanted}, which is none of {', '.join(names)}")
            found[places[wanted]][_SPELLINGS.get(option, option)] = value
    return found


def _full_name(name: str, own: str, host: str) -> str:
    here = hostname()
    short, _, domain = here.partition(".")
    if own:
        name = own
    elif host and "@" not in name:
        name = f"{name}@{host}"
    for sign, value in (("%h", here), ("%n", short), ("%d", domain)):
        name = name.replace(sign, value)
    return nodename(name)


def _node(name: str, options: dict[str, str | None], command: list[str], rest: list[str]) -> Node:
    pidfile = options.pop("--pidfile", None) or _default(_PIDFILE, "%n.pid")
    logfile = options.pop("--logfile", None) or options.pop("-f", None) or _default(_LOGFILE, "%n%I.log")
    options.pop("-f", None)
    pidfile, logfile = expand(pidfile, name), expand(logfile, name)
    arguments = [*words_of(options.items()), "-n", name, f"--pidfile={pidfile}", f"--logfile={logfile}"]
    return Node(name, Path(pidfile), logfile, (*command, *arguments, *rest), (*arguments, *rest))


def expand(pattern: str, node: str) -> str:
    """%n, %h, %p and %d replaced by parts of the node's name; %i and %I are for the worker, which has children."""
    name, _, host = node.partition("@")
    for sign, value in (("%p", node), ("%n", name), ("%h", host), ("%d", host.partition(".")[2])):
        pattern = pattern.replace(sign, value)
    return pattern


def _default(directory: str, pattern: str) -> str:
    """Celery's place where this user may write there, else the current directory."""
    place = Path(directory)
    return str(place / pattern) if place.is_dir() and os.access(place, os.W_OK) else pattern
