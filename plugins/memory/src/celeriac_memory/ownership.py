"""What is kept in memory is true in one process only: whose it is, and what a forked child is told."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlsplit

from celeriac.exceptions import BackendError, ImproperlyConfigured

#: What there is in memory, by name, and the process that it belongs to.
_owners: Final[dict[str, int]] = {}


class MemoryNotShared(ImproperlyConfigured, BackendError):
    """Memory of another process was to be used; both a wrong set-up and, where it hits a result, one not stored."""


def claim(what: str) -> int:
    """The process that `what` belongs to: this one, if it is the first that speaks of it."""
    return _owners.setdefault(what, os.getpid())


def broker_at(address: str) -> str:
    """What the broker of that address is called."""
    return f"the in-memory broker memory://{address}"


def results_at(address: str) -> str:
    """What the result store of that address is called."""
    return f"the in-memory result store memory://{address}"


class Owned:
    """State that belongs to one process: the one that configured an app to use it, or else the one that made it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._owner = claim(what)

    @property
    def is_here(self) -> bool:
        """False in a forked child, where only a dead copy is left."""
        return os.getpid() == self._owner

    def check_owner(self) -> None:
        """To be called before each use, and before any lock: in a forked child a lock may be held for ever.

        Raises `MemoryNotShared` in any process but the owner.
        """
        if not self.is_here:
            raise MemoryNotShared(
                f"{self._what} belongs to process {self._owner}; process {os.getpid()} was forked from it and has a "
                "dead copy. Run the tasks where it lives (--pool threads or --pool solo), or use a broker and a "
                "result store that processes share: pip install celeriac-sqlite"
            )


def address_of(host: str | None, path: str | None) -> str:
    """What two URLs must have in common to mean the same memory: no host is localhost, no path is ``/``."""
    return f"{host or 'localhost'}/{(path or '').strip('/')}"


def address_of_url(url: str) -> str:
    """`address_of` for a whole URL; the bare word ``memory`` counts as ``memory://``."""
    parts = urlsplit(url)
    return address_of(parts.hostname, parts.path if parts.netloc or "://" in url else None)
