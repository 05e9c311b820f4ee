"""What a worker remembers of its life: what was revoked, how many tasks it has run, when it began."""

from __future__ import annotations

import time
from collections import Counter

from celeriac.worker.revocations import Revocations


class WorkerState:
    """One per worker."""

    def __init__(self) -> None:
        self.revocations = Revocations()
        #: Tasks that have ended here, by name.
        self.total: Counter[str] = Counter()
        self.monotonic_start = time.monotonic()

    @property
    def uptime(self) -> int:
        """Whole seconds since the worker was made."""
        return int(time.monotonic() - self.monotonic_start)
