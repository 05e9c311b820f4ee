"""Task modules that are imported into a worker that runs, or imported anew, before its pool starts again."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from celeriac.app.base import Celery

logger = logging.getLogger("celeriac.worker.reloading")


def module_loader(app: Celery, task_modules: Sequence[str]) -> Callable[[Sequence[str] | None, bool], None]:
    """What `Pool.restart` calls; see `celeriac.contracts.pool`."""

    def load(modules: Sequence[str] | None, reload: bool) -> None:
        importlib.invalidate_caches()
        named = task_modules if modules is None else modules
        for name in named:
            loaded = sys.modules.get(name)
            if loaded is None:
                logger.debug("Importing module %s", name)
                app.loader.import_task_modules([name])
            elif reload:
                logger.debug("Importing module %s anew", name)
                _reload(app, loaded)

    return load


def _reload(app: Celery, module: ModuleType) -> None:
    """Import a module anew; where that fails, the tasks that it had are there as before."""
    tasks = app.tasks
    old = {name: task for name, task in tasks.items() if type(task).__module__ == module.__name__}
    for name in old:
        del tasks[name]
    try:
        importlib.reload(module)
    except BaseException:
        tasks.update(old)
        raise
