"""A bell that any thread may ring and an event loop hears, without polling."""

from __future__ import annotations

import os
import threading

from celeriac.contracts.polling import reading


class Bell:
    """A pipe to oneself.  Rung many times before it is silenced, it is heard once."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        # Reentrant, because a signal handler may publish while its own thread rings.
        self._lock = threading.RLock()
        self._rung = False
        self._closed = False

    def fileno(self) -> int:
        """The descriptor that is readable from `ring` to `silence`."""
        return self._reader

    def ring(self) -> None:
        """From any thread; harmless after `close`."""
        with self._lock:
            if not (self._rung or self._closed):
                self._rung = True
                os.write(self._writer, b"\0")

    def silence(self) -> None:
        """From the listening thread, before it looks for what the bell was rung for: a later ring counts anew."""
        with self._lock:
            if self._rung and not self._closed:
                os.read(self._reader, 4096)
                self._rung = False

    def wait(self, timeout: float | None) -> bool:
        """Block until it is rung, at most `timeout` seconds (None: for ever); True where it was."""
        return bool(reading(self._reader).poll(None if timeout is None else timeout * 1000))

    def close(self) -> None:
        """Tolerates being called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._reader)
                os.close(self._writer)
