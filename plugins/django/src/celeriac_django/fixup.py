"""Django in the life of an app."""

from __future__ import annotations

import os
import sys
from inspect import iscoroutinefunction
from typing import Any, Final

from celeriac.contracts import Fixup
from celeriac_django.task import DjangoTask

#: What the base class of tasks is called where nobody has given one.
_DEFAULT_TASK: Final = "celeriac.app.task:Task"


class DjangoFixup(Fixup):
    """Sets Django up where a worker begins, and looks after its connections around tasks and forks.

    Settings are the user's own call: ``app.config_from_object("django.conf:settings", namespace="CELERY")``.
    """

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self._main_pid: int | None = None

    def install(self) -> None:
        # The project lies where the command was called, and an installed command does not look there.
        if (here := os.getcwd()) not in sys.path:
            sys.path.insert(0, here)
        if self.app.task_cls == _DEFAULT_TASK:  # a base class of the user's own is left as it is
            base = self.app.Task
            namespace = {"app": self.app, "abstract": True, "__module__": base.__module__}
            self.app.Task = type("Task", (base, DjangoTask), namespace)

    def on_worker_init(self) -> None:
        self._set_up()
        self._check()
        self._main_pid = os.getpid()

        from celeriac_django.connections import before_fork

        before_fork()

    def on_process_init(self) -> None:
        if os.getpid() != self._main_pid:
            from celeriac_django.connections import after_fork

            after_fork()

    def on_task_start(self, task_id: str, task: Any) -> None:
        if not task.request.is_eager:
            from celeriac_django.connections import before_task, in_async_thread

            before_task()
            if iscoroutinefunction(task.run):
                in_async_thread(before_task)

    def on_task_end(self, task_id: str, task: Any) -> None:
        if not task.request.is_eager:
            from celeriac_django.connections import after_task, in_async_thread

            after_task()
            if iscoroutinefunction(task.run):
                in_async_thread(after_task)

    def autodiscover_modules(self) -> list[str]:
        from django.apps import apps  # type: ignore[import-untyped]  # Django has no annotations

        self._set_up()
        return [config.name for config in apps.get_app_configs()]

    @staticmethod
    def _check() -> None:
        """Run the checks of the project, as ``manage.py`` does before a command.  Raises SystemCheckError."""
        from django.core.management.base import BaseCommand  # type: ignore[import-untyped]  # as above

        if not os.environ.get("CELERY_SKIP_CHECKS"):
            BaseCommand().check()

    @staticmethod
    def _set_up() -> None:
        """Load settings and apps, unless that has been done, or is being done by whoever called us."""
        import django  # type: ignore[import-untyped]  # Django has no annotations
        from django.apps import apps

        if not (apps.ready or apps.loading):
            django.setup()
