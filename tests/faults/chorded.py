"""The app of chords whose processes are killed by SIGKILL between sending a body and noting that it was sent."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from celeriac import Celery, contracts
from celeriac.canvas import completion, unlocking
from celeriac.contracts import Backend
from celeriac_redis import chords as redis_chords
from celeriac_redis.backend import RedisBackend
from celeriac_sqlite import chords as sqlite_chords
from celeriac_sqlite.backend import SqliteBackend

# A claim that its holder's death leaves behind is waited for; half a minute of that shows no more than this.
completion.CLAIM_SECONDS = sqlite_chords.CLAIM_SECONDS = 0.3
redis_chords._CLAIM_MS = 300


def fall(point: str) -> None:
    """Die here and now, as often as there are files of that name: each is for one process."""
    for flag in Path(os.environ["CHORD_FLAGS"]).glob(f"{point}-*"):
        try:
            flag.unlink()
        except FileNotFoundError:  # another process has died of it
            continue
        os.kill(os.getpid(), signal.SIGKILL)


class Falling:
    """Dies where the store is told of chords."""

    def store_with_parts(self, results, parts):
        turns = super().store_with_parts(results, parts)
        if contracts.Turn.CLAIMED in turns.values():
            fall("claimed")
        return turns

    def end_chords(self, group_ids):
        fall("sent")
        super().end_chords(group_ids)
        fall("noted")


class Sqlite(Falling, SqliteBackend):
    pass


class Redis(Falling, RedisBackend):
    pass


class Plain(Backend):
    """A store that can write, read and delete, and count nothing."""

    def __init__(self, app, url):
        super().__init__(app, url)
        self._inner = SqliteBackend(app, url.replace("plain", "sqlite", 1))

    def store(self, results):
        self._inner.store(results)

    def fetch(self, task_ids):
        return self._inner.fetch(task_ids)

    def delete(self, task_ids):
        self._inner.delete(task_ids)

    def watch(self):
        return self._inner.watch()

    def after_fork(self):
        self._inner.after_fork()

    def close(self):
        self._inner.close()


def finish(*args):
    completion.finish(*args)
    fall("sent")


unlocking.finish = finish

prefix = os.environ["CHORD_PREFIX"]
drivers = {"sqlite": Sqlite, "redis": Redis, "plain": Plain}
if os.environ["CHORD_STORE"] == "django-db":
    import django

    django.setup()
    from celeriac_django import chords as django_chords
    from celeriac_django.backend import DjangoBackend

    django_chords.CLAIM_SECONDS = 0.3

    class Django(Falling, DjangoBackend):
        pass

    drivers["django-db"] = Django

app = Celery(
    "chorded",
    broker=os.environ["CHORD_BROKER"],
    broker_transport_options={"global_keyprefix": prefix, "lease": 1} if prefix else {},
    result_backend_transport_options={"global_keyprefix": prefix} if prefix else {},
    result_chord_retry_interval=0.1,
    task_max_worker_losses=1000,
    # Bodies have workers of their own, which nobody kills: what is lost while it runs is another matter.
    task_routes={"chorded.body": {"queue": "bodies"}, "chorded.last": {"queue": "bodies"}},
    task_protocol_compat=os.environ.get("CHORD_FORM") != "short",
)
for scheme, driver in drivers.items():
    app.plugins.register_driver("backend", scheme, driver)
app.conf.result_backend = os.environ["CHORD_STORE"]


def note(*words: object) -> None:
    # One write to a file opened for appending: lines of many processes never mix, and outlive them.
    journal = os.open(os.environ["CHORD_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, (" ".join(map(str, words)) + "\n").encode())
    os.close(journal)


@app.task
def early(number):
    return number


@app.task(acks_late=True, reject_on_worker_lost=True)
def late(number):
    return number


@app.task(acks_late=True, reject_on_worker_lost=True)
def fail():
    raise ValueError("a part that fails")


@app.task
def body(numbers, chord):
    note("body", chord)
    return sum(numbers)


@app.task
def tell(task_id):
    note("told", task_id)


@app.task
def last(number, chord):
    note("last", chord)
    return number
