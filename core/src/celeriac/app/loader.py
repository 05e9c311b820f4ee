"""The kernel's two loaders: the app's own, and the default one that reads ``celeryconfig``."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from celeriac.contracts.fixup import Fixup
from celeriac.contracts.loader import Loader

DEFAULT_MODULE: Final = "celeryconfig"


class AppLoader(Loader):
    """Everything comes from the app itself."""


class DefaultLoader(Loader):
    """Reads the module that CELERY_CONFIG_MODULE names, or ``celeryconfig`` where there is one."""

    def read_configuration(self) -> Mapping[str, Any]:
        name = os.environ.get("CELERY_CONFIG_MODULE") or DEFAULT_MODULE
        if name == DEFAULT_MODULE and importlib.util.find_spec(name) is None:
            return {}
        module = import_module(name)
        return {key: value for key, value in vars(module).items() if not key.startswith("_")}


class LoaderHooks(Fixup):
    """Tells a loader of the runs of tasks; made only for one that wants to know."""

    def __init__(self, app: Any, loader: Loader) -> None:
        super().__init__(app)
        self.loader = loader

    @classmethod
    def of(cls, app: Any, loader: Loader) -> LoaderHooks | None:
        """The hooks of `loader`, None where it has none of its own: tasks then pay nothing."""
        kind = type(loader)
        silent = kind.on_task_init is Loader.on_task_init and kind.on_process_cleanup is Loader.on_process_cleanup
        return None if silent else cls(app, loader)

    def on_task_start(self, task_id: str, task: Any) -> None:
        self.loader.on_task_init(task_id, task)

    def on_task_end(self, task_id: str, task: Any) -> None:
        self.loader.on_process_cleanup()
