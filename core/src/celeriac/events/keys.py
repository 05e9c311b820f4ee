"""The keys of a terminal, one by one as they are pressed."""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from typing import Any, Final

#: What terminals send for keys that are no characters, and how these are called here.
_SEQUENCES: Final = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x1b": "escape",
}


class Keyboard:
    """Calls a function with each key, in a thread of its own; when it stops the terminal is as it was before."""

    def __init__(self, on_key: Callable[[str], None]) -> None:
        self._on_key = on_key
        self._before: list[Any] | None = None
        self._thread: threading.Thread | None = None
        self._end: tuple[int, int] | None = None

    def start(self) -> bool:
        """Listen; false where keys cannot be read, as there is no terminal."""
        if not sys.stdin.isatty():
            return False
        self._before = termios.tcgetattr(sys.stdin.fileno())
        self.resume()
        self._end = os.pipe()
        self._thread = threading.Thread(target=self._run, args=(self._end[0],), name="celeriac-keys", daemon=True)
        self._thread.start()
        return True

    def resume(self) -> None:
        """Have the terminal hand out single keys, and not show them; also after it was in other hands (Ctrl-Z)."""
        tty.setcbreak(sys.stdin.fileno(), termios.TCSADRAIN)

    def stop(self) -> None:
        """Listen no more; tolerates never started and twice."""
        if self._end is None:
            return
        os.write(self._end[1], b".")
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)  # a key whose command waits for the broker must not keep the program
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before or [])
        self._end = None

    def _run(self, end: int) -> None:
        terminal = sys.stdin.fileno()
        while True:
            ready, _, _ = select.select([terminal, end], [], [])
            if end in ready or not (data := os.read(terminal, 1024)):
                return
            for key in keys_in(data.decode(errors="replace")):
                self._on_key(key)


def keys_in(text: str) -> Iterator[str]:
    """The names of the keys that a terminal has sent; a character is called by itself."""
    while text:
        length = 3 if text[:3] in _SEQUENCES else 4 if text[:4] in _SEQUENCES else 1
        word, text = text[:length], text[length:]
        yield _SEQUENCES.get(word, word)
