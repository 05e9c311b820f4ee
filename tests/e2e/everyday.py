"""An app as people write them: what the worker of the everyday tests imports, and the tests too."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

from celeriac import Celery
from celeriac.exceptions import Reject, SoftTimeLimitExceeded

app = Celery("everyday")


class OutOfStock(Exception):
    """An error of the project's own."""


@app.task
def add(x, y):
    return x + y


@app.task
def order(item):
    raise OutOfStock(f"no {item} left", item)


@app.task
def where():
    return os.getpid(), threading.current_thread().name


@app.task
async def loop():
    await asyncio.sleep(0.001)
    return os.getpid(), threading.get_ident(), id(asyncio.get_running_loop())


@app.task
async def nap(seconds):
    try:
        await asyncio.sleep(seconds)
    except SoftTimeLimitExceeded:
        await asyncio.sleep(0)
        return "woken"
    return "slept"


@app.task(
    bind=True,
    retry_on_worker_lost=True,
    max_retries=2,
    default_retry_delay=0,
    acks_late=bool(os.environ.get("DEADLY_LATE")),
)
def deadly(self, deaths):
    if self.request.retries < deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return self.request.retries


@app.task
def clock():
    return time.time()


@app.task
def remember(value, path):
    """A callback, or an errback: what it is called with can be read in the file."""
    Path(path).write_text(str(value))


@app.task(bind=True, max_retries=5)
def third_time_lucky(self, header=None):
    if self.request.retries < 2:
        raise self.retry(countdown=0.05, exc=OutOfStock("try again"))
    return self.request.retries, self.request.headers.get(header)


@app.task(autoretry_for=(OutOfStock,), max_retries=1, default_retry_delay=0.05)
def never_lucky():
    raise OutOfStock("never")


class Ponders(app.Task):
    """Between asking for another try and ending this one there may be time."""

    def on_retry(self, *_):
        time.sleep(0.5)


@app.task(base=Ponders, bind=True, max_retries=1)
def overtaken(self):
    raise self.retry(countdown=0, exc=OutOfStock("never"))


@app.task
def wait_for(path, begun):
    """Run until the file `path` is there; `begun` tells that this task runs."""
    Path(begun).touch()
    while not os.path.exists(path):
        time.sleep(0.01)
    return "seen"


@app.task
def refuse():
    raise Reject("not today", requeue=False)
