"""Who leads: the lock of several beats, the lease on it, and its token."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final
from uuid import uuid4

if TYPE_CHECKING:
    from celeriac.contracts.primitives import StorePrimitives

#: Seconds for which a leader that says nothing still leads, and between two words of it.
LEASE: Final = 6.0
RENEWAL: Final = 1.5


class Leadership:
    """One candidate.  Methods raise `StoreUnavailable`."""

    def __init__(self, store: StorePrimitives, lock: str) -> None:
        self._store = store
        self.lock = lock
        self._owner = f"{os.uname().nodename}:{os.getpid()}:{uuid4().hex[:8]}"
        self._token: int | None = None
        self._monotonic_renewed = 0.0

    def token(self) -> int | None:
        """The token of the lock; None where another has it.  Asks the store when the lease is to be renewed."""
        now = time.monotonic()
        if self._token is None or now - self._monotonic_renewed >= RENEWAL:
            self._token = self._store.acquire_lock(self.lock, self._owner, LEASE)
            self._monotonic_renewed = now
        return self._token

    def doubt(self) -> None:
        """Ask the store the next time, whenever that is."""
        self._token = None

    def release(self) -> None:
        """Let another lead at once; tolerates that this one does not."""
        self._token = None
        self._store.release_lock(self.lock, self._owner)
