"""Mail to the ADMINS about tasks that failed: from a thread of its own, and never a flood."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import deque
from typing import Any, Final

from celeriac.contracts import Outcome, OutcomeKind

logger = logging.getLogger(__name__)

#: What is written about.
_FAILURES: Final = frozenset(
    {OutcomeKind.FAILURE, OutcomeKind.HARD_TIME_LIMIT, OutcomeKind.WORKER_LOST, OutcomeKind.DELIVERY_LIMIT}
)
#: Seconds between two mails; what fails meanwhile is in the next one, up to so many tasks by name.
INTERVAL: Final = 60.0
_NAMED: Final = 100


class FailureMail:
    """Called with every outcome; mails those that are failures."""

    def __init__(self, app: Any, interval: float = INTERVAL) -> None:
        self._app = app
        self._interval = interval
        self._failures: deque[Outcome] = deque(maxlen=_NAMED)
        self._count = 0
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None
        self._monotonic_sent = float("-inf")

    def __call__(self, outcome: Outcome) -> None:
        if outcome.kind not in _FAILURES or outcome.requeued:
            return
        with self._lock:
            self._failures.append(outcome)
            self._count += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="celeriac-django-mail", daemon=True)
                self._thread.start()
                atexit.register(self.send)
        self._news.set()

    def _run(self) -> None:
        while self._news.wait():
            time.sleep(max(0.0, self._monotonic_sent + self._interval - time.monotonic()))
            self._news.clear()
            self.send()

    def send(self) -> None:
        """Mail what has failed since the last mail; what cannot be mailed is logged."""
        from django.core.mail import mail_admins  # type: ignore[import-untyped]  # Django has no annotations

        with self._lock:
            failures, count = list(self._failures), self._count
            self._failures.clear()
            self._count = 0
        if not count:
            return
        self._monotonic_sent = time.monotonic()
        try:
            mail_admins(*_letter(failures, count))
        except Exception:
            logger.exception("%d failures of tasks could not be mailed to the ADMINS", count)


def _letter(failures: list[Outcome], count: int) -> tuple[str, str]:
    """Subject and text."""
    last = failures[-1]
    subject = f"Task {last.task} failed" if count == 1 else f"{count} tasks failed, {last.task} the last"
    lines = [
        f"{one.task}[{one.task_id}] on {one.queue}: {one.kind}: {one.exception or ''}".rstrip(": ") for one in failures
    ]
    if count > len(failures):
        lines.insert(0, f"{count - len(failures)} more, and then:")
    # A line break in an error must not become one in the subject.
    return " ".join(subject.split()), "\n".join(lines)
