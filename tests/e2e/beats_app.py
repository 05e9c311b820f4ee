"""An app with periodic tasks, for beats in processes of their own; what is not said here is in the environment."""

from __future__ import annotations

import json
import os
import signal
import time

from celeriac import Celery
from celeriac.signals import after_task_publish

app = Celery(
    os.environ.get("BEATS_NAME", "beats_app"),
    broker=os.environ.get("BEATS_BROKER"),
    backend=os.environ.get("BEATS_BACKEND"),
)
app.conf.beat_schedule = json.loads(os.environ.get("BEATS_SCHEDULE", "{}"))


class WorstMoment:
    """Has this process killed once it has sent so many messages that do not follow each other at once.

    The broker has the last of them, and nobody has noted that.  What comes in a row was left by a predecessor: who
    dies of that each time makes no way.
    """

    def __init__(self, messages: int) -> None:
        self.left = messages
        self.monotonic_last = time.monotonic()

    def sent(self, **kwargs) -> None:
        """A message was sent."""
        monotonic_now = time.monotonic()
        if monotonic_now - self.monotonic_last > 0.25:
            self.left -= 1
        self.monotonic_last = monotonic_now
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


if dies_after := int(os.environ.get("BEATS_DIES_AFTER", "0")):
    worst_moment = WorstMoment(dies_after)
    after_task_publish.connect(worst_moment.sent)


@app.task(name="note", bind=True)
def note(self, text: str) -> None:
    """Write down that it ran, when, and under which id."""
    with open(os.environ["BEATS_NOTES"], "a", encoding="utf-8") as notes:
        notes.write(f"{text} {time.time()} {self.request.id}\n")
