"""An app with periodic tasks, for beats in processes of their own; what is not said here is in the environment."""

from __future__ import annotations

import json
import os
import time

from celeriac import Celery

app = Celery(
    os.environ.get("BEATS_NAME", "beats_app"),
    broker=os.environ.get("BEATS_BROKER"),
    backend=os.environ.get("BEATS_BACKEND"),
)
app.conf.beat_schedule = json.loads(os.environ.get("BEATS_SCHEDULE", "{}"))


@app.task(name="note", bind=True)
def note(self, text: str) -> None:
    """Write down that it ran, when, and under which id."""
    with open(os.environ["BEATS_NOTES"], "a", encoding="utf-8") as notes:
        notes.write(f"{text} {time.time()} {self.request.id}\n")
