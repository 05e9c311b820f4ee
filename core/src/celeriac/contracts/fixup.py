"""What a fixup must be: the integration of one framework into one app."""

from __future__ import annotations

from abc import ABC
from typing import Any


class Fixup(ABC):  # noqa: B024  # a fixup that overrides nothing is useless, not wrong
    """Hooks of one framework into the life of an app; made when the app is created, only where its framework is in use.

    All methods are called in the process that they are about, from its main thread.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    def install(self) -> None:
        """Called once, when the app is created and before it is configured."""

    def on_worker_init(self) -> None:
        """The worker's main process is about to start its pool."""

    def on_process_init(self) -> None:
        """A process that runs tasks has started (with solo or threads: the worker's own)."""

    def on_task_start(self, task_id: str, task: Any) -> None:
        """A task is about to run."""

    def on_task_end(self, task_id: str, task: Any) -> None:
        """A task has run; its result is stored after this."""

    def autodiscover_modules(self) -> list[str]:
        """Packages in which `app.autodiscover_tasks()` looks when it is given none."""
        return []
