"""An app with tasks that keep their results in a store of their own; STORES is the directory of all files."""

from __future__ import annotations

import os

from celeriac import Celery, Task

HOME = os.environ["STORES"]
ELSEWHERE = f"sqlite:///{HOME}/elsewhere.db"

app = Celery(
    "two_stores",
    broker=f"sqlite:///{HOME}/queue.db",
    backend=f"sqlite:///{HOME}/results.db",
    set_as_current=False,
)


class Elsewhere(Task):
    """A base whose tasks keep their results in a store of their own."""

    abstract = True
    backend = ELSEWHERE


@app.task(name="here")
def here(x):
    return x


@app.task(name="there", backend=ELSEWHERE, track_started=True)
def there(x):
    return x


@app.task(name="fails", base=Elsewhere)
def fails():
    raise LookupError("elsewhere")


@app.task(name="dies", base=Elsewhere)
def dies():
    os._exit(3)


@app.task(name="tells", base=Elsewhere, bind=True)
def tells(self):
    self.update_state(state="PROGRESS", meta={"done": 1})
    return self.AsyncResult(self.request.id).state, self.app.AsyncResult(self.request.id).state


@app.task(name="again", base=Elsewhere, bind=True)
def again(self):
    if not self.request.retries:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task(name="total", base=Elsewhere)
def total(numbers):
    return sum(numbers)
