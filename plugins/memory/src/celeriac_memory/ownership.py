"""What is kept in memory is true in one process only: whose it is, and what a forked child is told."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from celeriac.exceptions import BackendError, ImproperlyConfigured


class MemoryNotShared(ImproperlyConfigured, BackendError):
    """Memory of another process was to be used; both a wrong set-up and, where it hits a result, one not stored."""


class Owned:
    """State that belongs to the process that made it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._owner = os.getpid()

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
