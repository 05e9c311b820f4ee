"""From a function, or a class, to a task of an app."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from celeriac.app.models import models_of
from celeriac.app.names import symbol
from celeriac.app.retrying import retry_by_itself
from celeriac.exceptions import DuplicateTaskNameWarning

if TYPE_CHECKING:
    from celeriac.app.base import Celery

#: Options that are not attributes of `Task`.
EXTRA_OPTIONS: Final = frozenset(
    [
        "bind",
        "base",
        "name",
        "autoretry_for",
        "dont_autoretry_for",
        "retry_kwargs",
        "retry_backoff",
        "retry_backoff_max",
        "retry_jitter",
        "pydantic",
        "pydantic_strict",
        "pydantic_context",
        "pydantic_dump_kwargs",
        "filter",
        "accept_magic_kwargs",
    ]
)


def define(app: Celery, function: Callable[..., Any], options: Mapping[str, Any], ours: bool = True) -> Any:
    """The task of `function` on `app`; where the name is taken, the task that has it.

    Warns if another function has it, unless the function comes from another app (`ours` is false), whose names are
    its own affair.
    """
    module = getattr(function, "__module__", "") or ""
    name = options.get("name") or app.gen_task_name(getattr(function, "__name__", type(function).__name__), module)
    tasks = app._tasks  # the app's own workshop; app.tasks would finalize it
    if name in tasks:
        task = tasks[name]
        if ours:
            _warn_if_other(task, function, name)
        return task
    base = symbol(options.get("base")) or app.Task
    own = _attributes(app, base, options, name)
    models = models_of(app, name, function, options)
    called = function if models is None else models.around(function)
    run: Any = called if options.get("bind") else staticmethod(called)
    kind = type(
        getattr(function, "__name__", "task"),
        (base,),
        {
            "app": app,
            "name": name,
            "run": run,
            "abstract": False,
            "_function_name": getattr(function, "__name__", name),
            "_function": staticmethod(function),
            "_models": models,
            "__doc__": function.__doc__,
            "__module__": module,
            "__annotations__": getattr(function, "__annotations__", {}),
            "__wrapped__": property(lambda task: task.run),
            **own,
        },
    )
    task = kind()
    task.__qualname__ = getattr(function, "__qualname__", name)
    retry_by_itself(task)
    tasks[name] = task
    if app.finalized:
        task.bind(app)
    return task


def adopt(app: Celery, task: Any, options: Mapping[str, Any]) -> Any:
    """Register an instance of a `Task` subclass, or the class."""
    task = task() if isinstance(task, type) else task
    if not task.name:
        task.name = app.gen_task_name(type(task).__name__, type(task).__module__)
    for key, value in _attributes(app, type(task), options, task.name).items():
        setattr(task, key, value)
    task.app = app
    app._tasks[task.name] = task  # as above
    retry_by_itself(task)
    if app.finalized:
        task.bind(app)
    return task


def _attributes(app: Celery, base: type[Any], options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options as attributes.  Raises TypeError for one that nobody knows."""
    found: dict[str, Any] = {}
    plugin_options: Mapping[str, Any] | None = None
    for key, value in options.items():
        if key in {"bind", "base", "name"}:
            continue
        if key in EXTRA_OPTIONS or hasattr(base, key):
            found[key] = value
            continue
        if plugin_options is None:  # asked only for a name that the kernel does not know: this scans the plugins
            plugin_options = app.plugins.task_options()
        option = plugin_options.get(key)
        if option is None:
            raise TypeError(_unknown(name, key, base, plugin_options))
        found[key] = option.convert(value)
    return found


def _unknown(name: str, key: str, base: type[Any], plugin_options: Mapping[str, Any]) -> str:
    known = [option for option in dir(base) if not option.startswith("_") and not callable(getattr(base, option, None))]
    near = difflib.get_close_matches(key, [*known, *EXTRA_OPTIONS, *plugin_options], n=1)
    hint = f"did you mean '{near[0]}'?" if near else "options of a plugin need the plugin to be installed"
    return f"task '{name}' has no option '{key}'; {hint} (an attribute of your own goes on a base class: base=MyTask)"


def _warn_if_other(task: Any, function: Callable[..., Any], name: str) -> None:
    known = getattr(task, "_function", None)
    if known is None or known is function:
        return
    if _place(known) != _place(function):
        warnings.warn(
            f"two functions are registered as task '{name}': {known!r} stays, {function!r} is ignored; "
            "give one of them a name of its own: @app.task(name=...)",
            DuplicateTaskNameWarning,
            stacklevel=5,
        )


def _place(function: Any) -> tuple[Any, ...]:
    """Where a function is defined; the same after its module was loaded anew."""
    line = getattr(getattr(function, "__code__", None), "co_firstlineno", None)
    return getattr(function, "__module__", None), getattr(function, "__qualname__", repr(function)), line
