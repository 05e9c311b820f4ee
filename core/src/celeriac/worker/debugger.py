"""A debugger for processes without a terminal: Python's own, over a connection of this machine.

>>> from celeriac.contrib import rdb
>>> rdb.set_trace()  # doctest: +SKIP

in a task stops there, and logs where to connect to, as with ``telnet 127.0.0.1 6899``.  Whoever connects can do what
the process can do, so that it listens on the loopback address unless ``CELERY_RDB_HOST`` names another one.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from pdb import Pdb
from types import FrameType
from typing import Any, Final

logger = logging.getLogger("celeriac.rdb")

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 6899
#: Ports that are tried: each child of a pool may want one.
_PORTS: Final = 100

_current: list[Rdb] = []


class Rdb(Pdb):
    """Waits for one connection, and talks over it.

    Raises OSError where no port can be had.
    """

    def __init__(self, host: str | None = None, port: int | None = None) -> None:
        address = host or os.environ.get("CELERY_RDB_HOST") or DEFAULT_HOST
        first = port or int(os.environ.get("CELERY_RDB_PORT") or DEFAULT_PORT)
        self._listener = _listener(address, first)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        logger.critical("Waiting for a debugger; connect with: telnet %s %d", *self.address)
        self._client, (peer, *_) = self._listener.accept()
        logger.critical("In a debugging session with %s", peer)
        self._handle = self._client.makefile("rw")
        super().__init__(completekey="tab", stdin=self._handle, stdout=self._handle)

    def do_continue(self, arg: str) -> bool | None:
        """Let the program go on, and end the connection."""
        self.close()
        return super().do_continue(arg)

    do_c = do_cont = do_continue

    def do_quit(self, arg: str) -> bool | None:
        """The same: whoever leaves must not take the worker along."""
        return self.do_continue(arg)

    do_q = do_exit = do_quit

    def do_EOF(self, arg: str) -> bool | None:
        """The other side is gone."""
        return self.do_continue(arg)

    def close(self) -> None:
        """End the connection; tolerates being called twice."""
        _current.clear()
        for part in (self._handle, self._client, self._listener):
            try:
                part.close()
            except OSError as error:  # the other side may be gone already
                logger.debug("The debugging session did not end well: %s", error)


def set_trace(frame: FrameType | None = None) -> None:
    """Stop in `frame`, that of the caller unless given, until somebody has connected and lets go."""
    debugger = _current[0] if _current else Rdb()
    _current[:] = [debugger]
    debugger.set_trace(frame or sys._getframe(1))


def _listener(host: str, first: int) -> Any:
    for port in range(first, first + _PORTS):
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(1)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return listener
    raise OSError(errno.EADDRINUSE, f"no port from {first} to {first + _PORTS - 1} is free; set CELERY_RDB_PORT")
