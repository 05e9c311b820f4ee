"""The app of `soak.py` and `eta.py`: tasks that end in every way."""

from __future__ import annotations

import json
import os
import time

from metronome import Metronome

from celeriac import Celery

app = Celery("soaked", **json.loads(os.environ["SOAK_SETTINGS"]))
app.steps["worker"].add(Metronome)


@app.task(name="quick")
def quick(x: int) -> int:
    return x + 1


@app.task(name="slow", acks_late=True)
def slow(x: int, seconds: float) -> int:
    time.sleep(seconds)
    return x + 1


@app.task(name="when")
def when() -> float:
    return time.time()


@app.task(name="fails")
def fails() -> None:
    raise ValueError("as it should")


@app.task(name="retries", bind=True, default_retry_delay=0.5)
def retries(self, x: int) -> int:  # type: ignore[no-untyped-def]
    if self.request.retries < 2:
        raise self.retry()
    return x + 1


@app.task(name="soft", soft_time_limit=0.2)
def soft() -> None:
    time.sleep(30)


@app.task(name="hard", time_limit=0.2)
def hard() -> None:
    time.sleep(30)
