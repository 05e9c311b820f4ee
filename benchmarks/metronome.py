"""A plain timer in the worker's main process: how late the machine alone makes whatever waits for its moment there."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any, Final

from celeriac.bootsteps import StartStopStep

#: Seconds between two beats.
INTERVAL: Final = 0.02
#: Where in an interval the beat is due: half way between the tasks of `eta.py`, so that neither wakes the other.
PHASE: Final = 0.01


class Metronome(StartStopStep):
    """A thread that sleeps from beat to beat and notes in the file ``METRONOME`` when it woke."""

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self.enabled = "METRONOME" in os.environ
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metronome", daemon=True)

    def start(self, parent: Any) -> None:
        self._thread.start()

    def stop(self, parent: Any) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        with Path(os.environ["METRONOME"]).open("w") as file:
            while not self._over.is_set():
                now = time.time()
                beat = (now - PHASE) // INTERVAL * INTERVAL + PHASE + INTERVAL
                time.sleep(beat - now)
                file.write(f"{beat!r} {time.time() - beat!r}\n")


def lateness(file: Path, first: float, last: float) -> list[float]:
    """Seconds by which each beat between two moments came late."""
    beats = (line.split() for line in file.read_text().splitlines())
    return [float(late) for beat, late in beats if first <= float(beat) <= last]
