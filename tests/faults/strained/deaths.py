"""Processes of a worker that are killed."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strained.strain import Strain


def kill_a_child(strain: Strain) -> None:
    """The worker lives on and replaces it."""
    strain.wait_until(strain.children, message="the worker has children")
    os.kill(strain.chance.choice(strain.children()), signal.SIGKILL)


def kill_the_worker(strain: Strain) -> None:
    """Its children learn of it from the kernel."""
    strain.worker.signal(signal.SIGKILL)
    strain.worker.wait()
    strain.start_worker()


def kill_all(strain: Strain) -> None:
    strain.worker.kill()
    strain.start_worker()
