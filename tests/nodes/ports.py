"""Ports for servers of the tests' own, which nobody else takes before the server has."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
from random import randrange
from typing import Final

#: Below those that systems give to the near ends of connections, from 32768 on: one of those may be gone when the
#: server comes to bind it.
_FIRST: Final = 17_000
_STRETCH: Final = 1_500

# A stretch for each process of a run, in which none is named twice; runs beside each other begin at different places.
_PLACES: Final = itertools.count(randrange(_STRETCH))
_OURS: Final = _FIRST + _STRETCH * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10)


def free_port() -> int:
    """A port of the loopback that nobody uses."""
    for place in itertools.islice(_PLACES, _STRETCH):
        port = _OURS + place % _STRETCH
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"no port is free from {_OURS} to {_OURS + _STRETCH - 1}")
