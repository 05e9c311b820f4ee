"""The part of an app that has tasks: making them, finding them, binding them to the configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeVar, overload

from celeriac.app.composing import ComposedApp
from celeriac.app.periodic import add_entries, entry_of
from celeriac.app.sharing import connect_shared, shared_definitions
from celeriac.app.signatures import ArgumentCheck

if TYPE_CHECKING:
    from celeriac.app.decorators import BoundTaskDecorator, CoroutineTask, TaskDecorator
    from celeriac.app.registry import TaskRegistry
    from celeriac.app.task import Task as TaskType
    from celeriac.signals import Signal

_NOT_FINALIZED: Final = "Contract breach: the app must be finalized before it is used; call app.finalize()"

P = ParamSpec("P")
R = TypeVar("R")


class TaskedApp(ComposedApp):
    """What a `Celery` knows of its tasks."""

    main: str | None
    autofinalize: bool
    finalized: bool
    on_after_finalize: Signal
    _finalizing: bool
    #: What `Task` was at first; somebody may put another class there.
    _task_base: type[Any] | None = None
    _tasks: TaskRegistry
    _discoveries: list[Callable[[], None]]

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
        self._task_base = self.create_task_cls()
        return self._task_base

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

        The task works at once, and takes from the configuration when the app is finalized, or now if `lazy` is False.
        Other apps get it too, unless `shared` is False.  `filter` is a function of the task that makes what is
        returned.

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
        shared, lazy, wrap = options.pop("shared", True), options.pop("lazy", True), options.pop("filter", None)
        if not lazy and not self.finalized and not self.autofinalize:
            raise RuntimeError(_NOT_FINALIZED)
        task = define(self._whole, function, options)
        if not lazy:
            task.bind(self._whole)
        if shared:
            named = {**options, "name": task.name}
            connect_shared(lambda app: define(app, function, named, ours=False), owner=self._whole)
        return task if wrap is None else wrap(task)

    def register_task(self, task: Any, **options: Any) -> Any:
        """Add an instance (or class) of a `Task` subclass."""
        from celeriac.app.definition import adopt

        return adopt(self._whole, task, options)

    def gen_task_name(self, name: str, module: str) -> str:
        """The name of a task that was given none: ``module.name``."""
        if module == "__main__":
            module = self.main or _main_module_name() or module
        return f"{module}.{name}" if module else name

    def type_checker(self, fun: Callable[..., Any], bound: bool = False) -> Callable[..., None]:
        """A function that takes what `fun` takes (without the first, if `bound`), and raises TypeError as it would.

        Made once per task that is called, to check its arguments; for subclasses.
        """
        return ArgumentCheck(fun, bound)

    def add_periodic_task(
        self,
        schedule: Any,
        sig: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | tuple[()] = (),
        name: str | None = None,
        **opts: Any,
    ) -> str:
        """Let beat send `sig`, a signature, a task or the name of one, as `schedule` says; gives the entry's name.

        `schedule` is a number of seconds, a timedelta, or an object of `celeriac.schedules`; `args` and `kwargs` are
        added to those of the signature, `opts` are options of the call.  May be called at any time: before the
        configuration is read, or by a receiver of `on_after_configure` or `on_after_finalize`.  Raises TypeError for
        what is no schedule, or no task.
        """
        key, entry = entry_of(schedule, sig, args, dict(kwargs), name, opts)
        if self.configured:
            add_entries(self.conf, {key: entry})
        else:
            self._periodic[key] = entry
        return key

    def finalize(self, auto: bool = False) -> None:
        """Bind all tasks to the configuration; happens by itself at the first use of `tasks`.

        Other threads wait until that is done.  An error, as of a task module that cannot be imported, is raised again
        by the next try.
        """
        if self.finalized:
            return
        if auto and not self.autofinalize:
            raise RuntimeError(_NOT_FINALIZED)
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

        define_builtins(self._whole)
        while self._discoveries:
            self._discoveries[0]()
            del self._discoveries[0]
        shared = shared_definitions()
        for make in shared:
            make(self._whole)
        for task in list(self._tasks.values()):
            self._rebase(type(task))
            task.bind(self._whole)
        self.finalized = True
        # From here on new ones come by themselves; another thread may have had one just before.
        for make in [make for make in shared_definitions() if make not in shared]:
            make(self._whole)

    def _rebase(self, kind: type[Any]) -> None:
        """Give a task that was decorated before ``app.Task`` was set, as by a web framework's set-up, that base too."""
        if self._task_base is not self.Task and kind.__bases__ == (self._task_base,):
            kind.__bases__ = (self.Task,)

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


def _main_module_name() -> str | None:
    """What ``__main__`` would be called if it were imported."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    path = getattr(main, "__file__", None)
    return os.path.splitext(os.path.basename(path))[0] if path else None
