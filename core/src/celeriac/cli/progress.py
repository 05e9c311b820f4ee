"""What is being waited for, said on a terminal for as long as it lasts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from celeriac.cli.state import State

#: Goes to the begin of the line, and wipes it.
_WIPE: Final = "\r\033[2K"


class Progress:
    """One line on stderr, where a person looks, that the next takes the place of."""

    def __init__(self, state: State) -> None:
        self._is_shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not state.quiet

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
