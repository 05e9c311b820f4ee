"""Tasks for workers with event loops, on the embedded queue."""

from __future__ import annotations

import asyncio
import os
import threading
import time

from celeriac import Celery
from celeriac.exceptions import SoftTimeLimitExceeded

app = Celery("asyncio_app", set_as_current=False)


@app.task
async def nap(seconds):
    """Sleep; when it began and ended, and where."""
    begun = time.time()
    await asyncio.sleep(seconds)
    return begun, time.time(), os.getpid()


@app.task(bind=True)
async def who(self):
    """The task and request of the moment, before and after others have run."""
    before = self.request.id
    await asyncio.sleep(0.05)
    return before == self.request.id == app.current_task.request.id


@app.task
def plain(x):
    """A plain function, in whichever thread."""
    time.sleep(0.1)
    return x, threading.current_thread() is threading.main_thread(), app.current_task.name


@app.task(soft_time_limit=0.2)
async def limited():
    """Says which limit it met."""
    try:
        await asyncio.sleep(30)
    except SoftTimeLimitExceeded:
        return "soft"


@app.task(autoretry_for=(ValueError,), retry_backoff=False, default_retry_delay=0.01, max_retries=3, bind=True)
async def twice(self):
    """Fails at first."""
    if not self.request.retries:
        raise ValueError("not yet")
    return self.request.retries


@app.task
async def add(x, y):
    """A sum."""
    return x + y


@app.task
async def fail():
    """Fails."""
    raise KeyError("as it should")
