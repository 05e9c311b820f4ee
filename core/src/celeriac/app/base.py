"""The app: what a program creates, configures, defines tasks on and calls them by."""

from __future__ import annotations

import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from celeriac.app import current
from celeriac.app.composing import ComposedApp
from celeriac.app.configuration import Settings
from celeriac.app.identifiers import uuid
from celeriac.app.names import symbol
from celeriac.app.registry import TaskRegistry
from celeriac.app.sharing import connect_shared, forget_app, remember_app, shared_definitions
from celeriac.signals import Signal

if TYPE_CHECKING:
    from celeriac.app.decorators import BoundTaskDecorator, CoroutineTask, TaskDecorator
    from celeriac.app.publishing import Publisher
    from celeriac.app.task import Task as TaskType
    from celeriac.plugin.manager import PluginManager

P = ParamSpec("P")
R = TypeVar("R")


class Celery(ComposedApp):
    """A Celeriac application.

    `main` names it (and the tasks of a ``__main__`` module); `broker` and `backend` are URLs; other keywords are
    settings.  Nothing is read, scanned or connected until it is needed.
    """

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
        self.on_configure = Signal("app.on_configure")
        self.on_after_configure = Signal("app.on_after_configure", frozenset({"source"}))
        self.on_after_finalize = Signal("app.on_after_finalize")
        self.on_after_fork = Signal("app.on_after_fork")
        self.loader_cls = loader or self.loader_cls or os.environ.get("CELERY_LOADER") or "app"
        self._fixups = fixups
        self._lock = threading.RLock()
        self._plugins: PluginManager | None = None
        self._tasks = tasks if isinstance(tasks, TaskRegistry) else symbol(self.registry_cls)(tasks or {})
        self._publisher: Publisher | None = None
        self._discoveries: list[Callable[[], None]] = []
        self.conf = Settings(self._plugin_settings, self._on_configuration_read, self._prepare_configuration)
        own = {"broker_url": broker, "result_backend": backend or self.backend_cls, "include": include}
        self.conf.update(changes or {}, {key: value for key, value in own.items() if value is not None}, kwargs)
        if config_source:
            self.config_from_object(config_source)
        if set_as_current:
            self.set_current()
        self.on_init()
        remember_app(self)
        if fixups:
            self.install_fixups()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.main or '__main__'}>"

    def __enter__(self) -> Celery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        return _current_app, ()

    def on_init(self) -> None:
        """Called at the end of construction; for subclasses."""

    # -- tasks --------------------------------------------------------------------------------------------------------

    @property
    def tasks(self) -> TaskRegistry:
        """All tasks by name; asking finalizes the app."""
        self.finalize(auto=True)
        return self._tasks

    @cached_property
    def Task(self) -> type[Any]:
        """The base class of this app's tasks; asking lets the fixups prepare their frameworks, and it."""
        self.install_fixups()
        if "Task" in self.__dict__:  # a fixup has made one of its own
            made: type[Any] = self.__dict__["Task"]
            return made
        return self.create_task_cls()

    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> CoroutineTask[P, R]: ...

    @overload
    def task(self, function: Callable[P, R], /) -> TaskType[P, R]: ...

    @overload
    def task(self, *, bind: Literal[True], **options: Any) -> BoundTaskDecorator: ...

    @overload
    def task(self, *, bind: Literal[False] = ..., **options: Any) -> TaskDecorator: ...

    def task(self, *args: Any, **options: Any) -> Any:
        """Make a task of a function: ``@app.task`` or ``@app.task(bind=True, max_retries=5, ...)``.

        Raises TypeError for an option that neither the kernel, nor a plugin, nor the task's base knows.
        """
        from celeriac.app.definition import define

        if not args:
            return lambda function: self.task(function, **options)
        if len(args) > 1 or not callable(args[0]):
            raise TypeError("@app.task takes a function, or keyword arguments")
        function = args[0]
        if isinstance(function, type):
            raise TypeError(f"@app.task is for functions; for the class {function.__name__} use app.register_task")
        shared = options.pop("shared", True)
        options.pop("lazy", None)
        task = define(self, function, options)
        if shared:
            named = {**options, "name": task.name}
            connect_shared(lambda app: define(app, function, named, ours=False), owner=self)
        return task

    def register_task(self, task: Any, **options: Any) -> Any:
        """Add an instance (or class) of a `Task` subclass."""
        from celeriac.app.definition import adopt

        return adopt(self, task, options)

    def gen_task_name(self, name: str, module: str) -> str:
        """The name of a task that was given none: ``module.name``."""
        if module == "__main__":
            module = self.main or _main_module_name() or module
        return f"{module}.{name}" if module else name

    def finalize(self, auto: bool = False) -> None:
        """Bind all tasks to the configuration; happens by itself at the first use of `tasks`.

        Other threads wait until that is done.  An error, as of a task module that cannot be imported, is raised again
        by the next try.
        """
        if self.finalized:
            return
        if auto and not self.autofinalize:
            raise RuntimeError("Contract breach: the app must be finalized before it is used; call app.finalize()")
        self.conf.load()  # before the lock: whoever reads the configuration may finalize
        with self._lock:
            if self.finalized or self._finalizing:  # type: ignore[redundant-expr]  # by another thread, or it asks itself
                return
            self._finalizing = True
            try:
                self._finalize()
            finally:
                self._finalizing = False
            self.plugins.hook.tell("celeriac_finalized", app=self)
            self.on_after_finalize.send(sender=self)

    def _finalize(self) -> None:
        from celeriac.app.builtins import define_builtins

        define_builtins(self)
        while self._discoveries:
            self._discoveries[0]()
            del self._discoveries[0]
        shared = shared_definitions()
        for make in shared:
            make(self)
        for task in list(self._tasks.values()):
            task.bind(self)
        self.finalized = True
        # From here on new ones come by themselves; another thread may have had one just before.
        for make in [make for make in shared_definitions() if make not in shared]:
            make(self)

    def autodiscover_tasks(self, packages: Any = None, related_name: str | None = "tasks", force: bool = False) -> None:
        """Import the module `related_name` of each package (a list, or a function that gives one).

        Without packages the fixups say where to look.  Happens when the worker or `tasks` needs them, or now with
        `force`.
        """
        from celeriac.app.discovery import discover

        def look() -> None:
            names = packages() if callable(packages) else packages
            if names is None:
                names = [name for fixup in self.fixups for name in fixup.autodiscover_modules()]
            discover(names, related_name)

        if force or self.finalized:
            look()
        else:
            self._discoveries.append(look)

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

    def close(self) -> None:
        """Release connections, forget this app where it was current."""
        if self._publisher is not None:
            self._publisher.close()
        if "results" in self.__dict__:
            self.results.close()
        current.forget_app(self)
        forget_app(self)

    def uuid(self) -> str:
        """A new task id."""
        return uuid()


def _current_app() -> Celery:
    return current.get_current_app()


def _main_module_name() -> str | None:
    """What ``__main__`` would be called if it were imported."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    path = getattr(main, "__file__", None)
    return os.path.splitext(os.path.basename(path))[0] if path else None


current.set_app_factory(Celery)
