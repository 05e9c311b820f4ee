"""What a loader must be: where configuration and task modules come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar


class Loader:
    """Reads configuration and imports task modules for one app."""

    api_version: ClassVar[int] = 1

    def __init__(self, app: Any) -> None:
        self.app = app

    def read_configuration(self) -> Mapping[str, Any]:
        """Settings that hold where the app says nothing."""
        return {}

    def import_task_modules(self, names: Iterable[str]) -> list[ModuleType]:
        """Import the modules of ``imports`` and ``include``.  Raises what the modules raise."""
        return [import_module(name) for name in names]

    def on_worker_init(self) -> None:
        """The worker's main process is about to start."""

    def on_worker_process_init(self) -> None:
        """A pool child has started."""
