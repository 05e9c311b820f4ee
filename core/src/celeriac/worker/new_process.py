"""The executor in a process that shares no memory with the worker: the app is found there by its name."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts.pool import Recipe
from celeriac.exceptions import ImproperlyConfigured
from celeriac.worker.execution import TaskExecutor, executor_factory

if TYPE_CHECKING:
    from celeriac.app.base import Celery

#: Settings that the command line may have changed.
_SETTINGS: Final = (
    "broker_url",
    "broker_read_url",
    "broker_write_url",
    "result_backend",
    "worker_log_format",
    "worker_redirect_stdouts",
)


def recipe(app: Celery, task_modules: list[str], hostname: str, loglevel: Any) -> Recipe:
    """What `make_executor` needs.  Raises `ImproperlyConfigured` where no module has the app."""
    conf = app.conf
    settings = {name: conf[name] for name in _SETTINGS if isinstance(conf[name], str | bool)}
    handlers = logging.getLogger().handlers
    logfile = next((handler.baseFilename for handler in handlers if isinstance(handler, logging.FileHandler)), None)
    arguments = (place_of(app), task_modules, hostname, settings, loglevel, logfile)
    return Recipe("celeriac.worker.new_process:make_executor", arguments)


def place_of(app: Celery) -> str:
    """The module and name under which the app can be imported."""
    for name, module in sorted(sys.modules.items(), key=lambda item: item[0] == "__main__"):
        if name.partition(".")[0] == "celeriac":  # where it is the current one, or the default
            continue
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if value is app:
                return f"{'__mp_main__' if name == '__main__' else name}:{attribute}"
    raise ImproperlyConfigured(
        "the start method 'spawn' imports the app by its name, but no module has it as a global: "
        "write app = Celery(...) at the top of a module, or use worker_pool_start_method = 'fork'"
    )


def make_executor(
    place: str,
    task_modules: list[str],
    hostname: str,
    settings: dict[str, Any],
    loglevel: Any,
    logfile: str | None,
) -> TaskExecutor:
    """What a new process runs tasks with: everything is set up as in the worker."""
    module, _, attribute = place.partition(":")
    app: Celery = getattr(import_module(module), attribute)
    app.conf.update({name: value for name, value in settings.items() if app.conf[name] != value})
    if loglevel is not None:
        app.log.setup(loglevel, logfile, redirect_stdouts=app.conf.worker_redirect_stdouts, hostname=hostname)
    app.set_current()
    app.install_fixups()
    app.loader.import_task_modules(task_modules)
    app.finalize()
    return executor_factory(app, hostname, in_child=True)()
