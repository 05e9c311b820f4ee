"""What a loader must be: where configuration and task modules come from."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

from celeriac.protocol import wall


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
        return [self.import_task_module(name) for name in names]

    def import_task_module(self, module: str) -> ModuleType:
        """Import one module of tasks."""
        return self.import_from_cwd(module)

    def import_module(self, module: str, package: str | None = None) -> ModuleType:
        """Import a module, as `importlib.import_module`."""
        return import_module(module, package=package)

    def import_from_cwd(self, module: str, package: str | None = None) -> ModuleType:
        """Import a module that may lie in the current directory, which is looked in first."""
        here = os.getcwd()
        if here not in sys.path:
            sys.path.insert(0, here)
        return self.import_module(module, package)

    @property
    def default_modules(self) -> list[str]:
        """The modules that a worker imports before it looks at its tasks: those of ``imports`` and ``include``."""
        conf = self.app.conf
        return list(dict.fromkeys((*conf.imports, *conf.include)))

    def import_default_modules(self) -> list[ModuleType]:
        """Import them.  Raises what the modules raise."""
        return self.import_task_modules(self.default_modules)

    def cmdline_config_parser(self, args: Iterable[str], namespace: str = "celery") -> dict[str, Any]:
        """The settings that a command line names, for `Celery.config_from_cmdline`.

        A name that is no setting is also looked for behind `namespace`.  Raises `ImproperlyConfigured` for what is no
        ``name=value``, and for a name that is no setting.
        """
        read: dict[str, Any] = self.app.settings_of_cmdline(args, namespace)
        return read

    def now(self, utc: bool = True) -> datetime:
        """The present moment, of UTC or of the clock on the wall here."""
        return wall.now() if utc else wall.now().astimezone()

    def init_worker(self) -> None:
        """Called once, when the worker's main process is about to start; calls `on_worker_init`."""
        self.on_worker_init()

    def init_worker_process(self) -> None:
        """Called once in each pool child when it has started; calls `on_worker_process_init`."""
        self.on_worker_process_init()

    def shutdown_worker(self) -> None:
        """Called once, when the worker's main process is about to end; calls `on_worker_shutdown`."""
        self.on_worker_shutdown()

    def on_worker_init(self) -> None:
        """The worker's main process is about to start."""

    def on_worker_process_init(self) -> None:
        """A pool child has started."""

    def on_worker_shutdown(self) -> None:
        """The worker's main process has stopped its pool and is about to end."""

    def on_task_init(self, task_id: str, task: Any) -> None:
        """A task is about to run, in the process and thread that runs it."""

    def on_process_cleanup(self) -> None:
        """A task has run, its result is about to be stored; the same process and thread."""
