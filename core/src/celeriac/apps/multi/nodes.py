"""Workers of this machine: what each is called, what starts it, and its process."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from signal import SIGKILL
from typing import Any, Final

import click

from celeriac.apps.multi.arguments import NamespacedOptionParser, numbers, words_of
from celeriac.apps.multi.processes import call, running_pid, send, signal_of
from celeriac.platforms import EX_FAILURE
from celeriac.protocol.origin import hostname, nodename

_PIDFILE: Final = "/var/run/celery"
_LOGFILE: Final = "/var/log/celery"
#: What a Python runs as a worker that goes to the background.
_WORKER: Final = "-m celeriac worker --detach"
#: Options that are decided here, and their other spellings.
_SPELLINGS: Final = {"--hostname": "-n", "--logfile": "-f"}


class Node:
    """A worker: called ``name@host``, started by a command, known by its pid file.

    `cmd` is what starts it: what a Python takes where it begins with a dash, else a program.  `options` are those of
    the worker by name with their dashes, None as the value of one that takes none; ``--pidfile`` and ``--logfile`` may
    have parts of the name in them (%n, %h, %p, %d).  `extra_args` and `append` are further words of its command line.
    `argv` is what the Python takes, `arguments` the part of that which is the node's own.
    """

    def __init__(
        self,
        name: str,
        cmd: str | None = None,
        append: str | None = None,
        options: Mapping[str, Any] | None = None,
        extra_args: str | None = None,
    ) -> None:
        self.name = name
        self.cmd = cmd or _WORKER
        self.append = append
        self.extra_args = extra_args or ""
        #: What the process said when it was started last.
        self.output = ""
        own = {_SPELLINGS.get(option, option): _text(value) for option, value in (options or {}).items()}
        self.executable: str = own.pop("--executable", None) or sys.executable
        self.pidfile = expand(own.pop("--pidfile", None) or _default(_PIDFILE, "%n.pid"), name)
        self.logfile = expand(own.pop("-f", None) or _default(_LOGFILE, "%n%I.log"), name)
        own.pop("-n", None)
        #: Those that the worker gets.
        self.options = {**own, "-n": name, "--pidfile": self.pidfile, "--logfile": self.logfile}

    @classmethod
    def from_kwargs(cls, name: str, **kwargs: Any) -> Node:
        """Make one of a worker's options: ``Node.from_kwargs("one", A="proj", max_tasks_per_child=10, beat=True)``."""
        options = {
            ("-" if len(option) == 1 else "--") + option.replace("_", "-"): value for option, value in kwargs.items()
        }
        return cls(name, options=options)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the worker takes."""
        return (*words_of(self.options.items()), *shlex.split(self.extra_args), *shlex.split(self.append or ""))

    @property
    def argv(self) -> tuple[str, ...]:
        """The words of the command line, without the Python that runs it."""
        return (*shlex.split(self.cmd), *self.arguments)

    @property
    def argv_with_executable(self) -> tuple[str, ...]:
        """The words of the command line."""
        return (self.executable, *self.argv) if self.cmd.startswith("-") else self.argv

    @property
    def shown(self) -> str:
        """The command line as it would be typed."""
        return shlex.join(self.argv_with_executable)

    def getopt(self, *alt: str) -> str | None:
        """The value of an option, by any of its spellings.  Raises KeyError where none is there."""
        for spelling in alt:
            if (option := _SPELLINGS.get(spelling, spelling)) in self.options:
                return self.options[option]
        raise KeyError(alt[0])

    @property
    def pid(self) -> int | None:
        """Its process; None where it does not run.  Raises `UsageError` for a pid file that cannot be read."""
        return running_pid(self.pidfile)

    def alive(self) -> bool:
        """Whether it runs."""
        return self.pid is not None

    def send(self, sig: int, on_error: Callable[[Node], object] | None = None) -> bool:
        """Send it a signal; `on_error` is called, and False returned, where it does not run."""
        pid, number = self.pid, signal_of(sig)
        if pid is None or not send(pid, number):
            if on_error is not None:
                on_error(self)
            return False
        if number == SIGKILL:
            Path(self.pidfile).unlink(missing_ok=True)  # nobody else will
        return True

    def start(
        self,
        env: Mapping[str, str] | None = None,
        on_spawn: Callable[..., object] | None = None,
        on_signalled: Callable[[Node, int], object] | None = None,
        on_failure: Callable[[Node, int], object] | None = None,
    ) -> int:
        """Start it, and wait until it has gone to the background; the exit code, and `output` has what it said.

        `on_spawn` is called with the node, the command line as `argstr`, and `env`; `on_signalled` and `on_failure`
        with the node and the number of the signal, or the exit code, that it ended with.
        """
        pid = self.pid
        if pid is not None:
            self.output = f"runs already, as process {pid} ({self.pidfile})"
            return self.handle_process_exit(EX_FAILURE, on_signalled, on_failure)
        for path in (self.pidfile, self.logfile):
            Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
        if on_spawn is not None:
            on_spawn(self, argstr=self.shown, env=env)
        code, self.output = call(self.argv_with_executable, env)
        return self.handle_process_exit(code, on_signalled, on_failure)

    def handle_process_exit(
        self,
        retcode: int,
        on_signalled: Callable[[Node, int], object] | None = None,
        on_failure: Callable[[Node, int], object] | None = None,
    ) -> int:
        """Tell how its start has ended; the exit code, or the number of the signal that has ended it."""
        if retcode < 0 and on_signalled is not None:
            on_signalled(self, -retcode)
        elif retcode > 0 and on_failure is not None:
            on_failure(self, retcode)
        return abs(retcode)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}>"


class MultiParser:
    """Makes the nodes that the words of a call mean.

    `cmd` starts each; `extra_args` and `append` are further words of each command line.  `prefix` and `suffix` stand
    before and after each name, `range_prefix` before the numbers of nodes that have no other name.
    """

    def __init__(
        self,
        cmd: str | None = None,
        append: str = "",
        prefix: str = "",
        suffix: str = "",
        range_prefix: str = "celery",
        extra_args: str = "",
    ) -> None:
        self.cmd = cmd
        self.append = append
        self.prefix = prefix
        self.suffix = suffix
        self.range_prefix = range_prefix
        self.extra_args = extra_args

    def parse(self, p: NamespacedOptionParser) -> Iterator[Node]:
        """The nodes, each with its options; `p` loses the options that are about all of them.

        Raises `UsageError` where the words make no sense.
        """
        range_prefix = p.take("--range-prefix") or self.range_prefix
        cmd = p.take("--cmd") or self.cmd
        before, after = p.take("--prefix") or self.prefix, p.take("--suffix") or self.suffix
        host = p.take("--hostname", "-n") or ""
        append = " ".join(filter(None, (p.passthrough, self.append)))
        names = _names(p.values, range_prefix)
        found = []
        for name, special in zip(names, _special(p, names), strict=True):
            options = {**p.options, **special}
            full = _full_name(before + name + after, options.pop("-n", None) or "", host)
            found.append(Node(full, cmd, append, options, self.extra_args))
        full_names = [node.name for node in found]
        twice = sorted({name for name in full_names if full_names.count(name) > 1})
        if twice:
            raise click.UsageError(f"several workers would be called {', '.join(twice)}")
        return iter(found)


def _text(value: Any) -> str | None:
    return None if value is None or value is True else str(value)


def _names(words: Sequence[str], prefix: str) -> list[str]:
    """A number alone means so many, a range those numbers; everything else is a name."""
    if len(words) == 1 and words[0].isdecimal():
        return [f"{prefix}{number}" for number in range(1, int(words[0]) + 1)]
    if len(words) == 1 and numbers(words[0]) != words:
        return [f"{prefix}{part}" if part.isdecimal() else part for part in numbers(words[0])]
    return list(words)


def _special(given: NamespacedOptionParser, names: Sequence[str]) -> list[dict[str, str | None]]:
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
