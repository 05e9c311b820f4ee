"""What is being waited for, said on a terminal for as long as it lasts."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from celeriac.cli.state import State

#: Goes to the begin of the line, and wipes it.
_WIPE: Final = "\r\033[2K"
#: Seconds after which a bar shows how far it is: what is over sooner needs none.
_PATIENCE: Final = 1.0


def is_watched(state: State) -> bool:
    """Whether a person looks at stderr, and wants to be told of more than the end."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not state.quiet


class Progress:
    """One line on stderr, where a person looks, that the next takes the place of."""

    def __init__(self, state: State) -> None:
        self._is_shown = is_watched(state)

    def say(self, text: str) -> None:
        """Say what is being done."""
        self._write(f"{_WIPE}{text}...")

    def clear(self) -> None:
        """Take the line away, before something is printed."""
        self._write(_WIPE)

    def _write(self, text: str) -> None:
        if self._is_shown:
            sys.stderr.write(text)
            sys.stderr.flush()


@contextmanager
def waiting(state: State, text: str) -> Iterator[None]:
    """Say what is being done while the block runs."""
    progress = Progress(state)
    progress.say(text)
    try:
        yield
    finally:
        progress.clear()


@contextmanager
def counting(state: State, label: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give a function that is told how much is done, and of how many; it shows a bar where that takes over a second.

    None where nobody looks.
    """
    if not is_watched(state):
        yield None
        return
    begin, bars = time.monotonic(), list[Any]()

    def tell(done: int, of: int) -> None:
        if not bars and time.monotonic() - begin > _PATIENCE:
            bars.append(click.progressbar(length=of, label=label, file=sys.stderr).__enter__())
        if bars:
            bars[0].update(done - bars[0].pos)

    try:
        yield tell
    finally:
        for bar in bars:
            bar.__exit__(None, None, None)
