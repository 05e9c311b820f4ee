"""The app: what a program creates, configures, defines tasks on and calls them by."""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from celeriac.app import current
from celeriac.app.announcing import signal_of
from celeriac.app.configuration import Settings
from celeriac.app.forking import watch_forks
from celeriac.app.identifiers import uuid
from celeriac.app.names import symbol
from celeriac.app.pickling import AppPickler, restore
from celeriac.app.registry import TaskRegistry
from celeriac.app.sharing import forget_app, remember_app
from celeriac.app.tasking import TaskedApp

if TYPE_CHECKING:
    from celeriac.app.periodic import Entry
    from celeriac.app.publishing import Publisher
    from celeriac.plugin.manager import PluginManager


class Celery(TaskedApp):
    """A Celeriac application.

    `main` names it (and the tasks of a ``__main__`` module); `broker` and `backend` are URLs; other keywords are
    settings.  Nothing is read, scanned or connected until it is needed.
    """

    SYSTEM: ClassVar[str] = platform.system()
    IS_macOS: ClassVar[bool] = SYSTEM == "Darwin"
    IS_WINDOWS: ClassVar[bool] = SYSTEM == "Windows"
    #: How an app is pickled.
    Pickler: ClassVar[type[AppPickler]] = AppPickler
    #: The class of `tasks`; a type or a dotted name.
    registry_cls: Any = TaskRegistry

    def __init__(
        self,
        main: str | None = None,
        loader: Any = None,
        backend: Any = None,
        amqp: Any = None,
        events: Any = None,
        log: Any = None,
        control: Any = None,
        set_as_current: bool = True,
        tasks: Any = None,
        broker: Any = None,
        include: Sequence[str] | None = None,
        changes: Mapping[str, Any] | None = None,
        config_source: Any = None,
        fixups: Any = None,
        task_cls: Any = None,
        autofinalize: bool = True,
        namespace: str | None = None,
        strict_typing: bool = True,
        config_source_silent: bool = False,
        **kwargs: Any,
    ) -> None:
        self.main = main
        for part, given in (("amqp", amqp), ("events", events), ("log", log), ("control", control), ("task", task_cls)):
            if given is not None:
                setattr(self, f"{part}_cls", given)
        self.autofinalize = autofinalize
        self.namespace = namespace
        self.strict_typing = strict_typing
        self.set_as_current = set_as_current
        self.finalized = False
        self._finalizing = False
        self.configured = False
        #: Extra steps of users, by blueprint.
        self.steps: dict[str, set[Any]] = defaultdict(set)
        #: Extra click options of users, by command.
        self.user_options: dict[str, set[Any]] = defaultdict(set)
        self.on_configure = signal_of(self, "on_configure")
        self.on_after_configure = signal_of(self, "on_after_configure", "source")
        self.on_after_finalize = signal_of(self, "on_after_finalize")
        self.on_after_fork = signal_of(self, "on_after_fork")
        self.loader_cls = loader or self.loader_cls or os.environ.get("CELERY_LOADER") or "app"
        self.fixups_given = fixups
        self._lock = threading.RLock()
        self._plugins: PluginManager | None = None
        self._tasks = tasks if isinstance(tasks, TaskRegistry) else symbol(self.registry_cls)(tasks or {})
        self._publisher: Publisher | None = None
        self._discoveries: list[Callable[[], None]] = []
        self._periodic: dict[str, Entry] = {}
        self.conf = Settings(self._plugin_settings, self._on_configuration_read, self._prepare_configuration)
        own = {"broker_url": broker, "result_backend": backend or self.backend_cls, "include": include}
        self.conf.update(changes or {}, {key: value for key, value in own.items() if value is not None}, kwargs)
        if config_source:
            self.config_from_object(config_source, silent=config_source_silent)
        if set_as_current:
            self.set_current()
        self.on_init()
        remember_app(self)
        watch_forks(self)
        if fixups:
            self.install_fixups()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.main or '__main__'}>"

    def __enter__(self) -> Celery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        return restore, (self.Pickler, type(self), self.Pickler().build_kwargs(self))

    def on_init(self) -> None:
        """Called at the end of construction; for subclasses."""

    # -- running ------------------------------------------------------------------------------------------------------

    def worker_main(self, argv: Sequence[str] | None = None) -> None:
        """Run ``celeriac worker`` with these arguments (default: the program's own)."""
        arguments = list(sys.argv[1:] if argv is None else argv)
        if "worker" not in arguments:
            raise ValueError("worker_main needs the word 'worker' among its arguments, as in ['worker', '-l', 'INFO']")
        self.start(arguments)

    def start(self, argv: Sequence[str] | None = None) -> None:
        """Run the ``celeriac`` command line for this app."""
        symbol("celeriac.cli.main:run")(self, list(sys.argv[1:] if argv is None else argv))

    # -- life -------------------------------------------------------------------------------------------------------

    def set_current(self) -> None:
        """Make this the current app of this thread."""
        current.set_current_app(self)
        current.offer_default_app(self)

    def set_default(self) -> None:
        """Make this the app of all threads that have none."""
        current.set_default_app(self)

    @property
    def current_task(self) -> Any:
        """The task that runs here now."""
        return current.get_current_task()

    @property
    def current_worker_task(self) -> Any:
        """The task that a worker runs here now, however many others it calls as functions or eagerly."""
        return current.get_current_worker_task()

    def close(self) -> None:
        """Release all connections, and forget this app where it was current; a later use opens new ones."""
        if self._publisher is not None:
            self._publisher.close()
        if "results" in self.__dict__:
            self.results.close()
        self.close_pools()
        current.forget_app(self)
        forget_app(self)

    def uuid(self) -> str:
        """A new task id."""
        return uuid()


current.set_app_factory(Celery)
