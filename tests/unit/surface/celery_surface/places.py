"""Where each name of Celery's is with us."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import click

from celeriac import Celery
from celeriac.app.settings import kernel_schema
from celery_surface.names import Name

#: What stands for a name that is not here.
MISSING: Any = object()


def find(name: Name) -> Any:
    """What `name` is here: the class, the function, the setting, the command; MISSING where there is nothing."""
    return _FINDERS[name.family](name)


def _class(name: Name) -> Any:
    return _imported(name.path)


@cache
def _imported(path: str) -> Any:
    module, _, attribute = f"celeriac.{path}".rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute, MISSING)
    except ModuleNotFoundError as error:
        if error.name is not None and module.startswith(error.name):
            return MISSING
        raise


def _member(name: Name) -> Any:
    owner = _imported(name.owner)
    if owner is MISSING:
        return MISSING
    if inspect.getattr_static(owner, name.member, MISSING) is not MISSING:
        return getattr(owner, name.member)
    # Set by the constructor, or a property of the class's class.
    return getattr(_instance(name.owner), name.member, MISSING)


def _instance(owner: str) -> Any:
    if owner in _MADE_OF:
        return _imported(owner)(*_MADE_OF[owner])
    return _INSTANCES[owner]() if owner in _INSTANCES else MISSING


def defined_in(name: Name) -> Any:
    """The class of ours that defines a member: classes that inherit it share it, and the test that shows it."""
    owner = _imported(name.owner)
    for base in getattr(owner, "__mro__", ()):
        if name.member in vars(base):
            return base
    return None


def _app() -> Celery:
    return Celery("surface", broker="memory://surface", backend="memory://surface", set_as_current=False)


def _task() -> Any:
    return _app().task(name="surface.task")(lambda: None)


#: What has attributes that its class does not have.
_INSTANCES: dict[str, Callable[[], Any]] = {
    "app.base.Celery": _app,
    "app.task.Task": _task,
    "canvas.Signature": lambda: _task().s(),
    "canvas.group": lambda: _imported("canvas.group")(_task().s(), _task().s()),
    "canvas.chain": lambda: _task().s() | _task().s(),
    "canvas._chord": lambda: _imported("canvas.group")(_task().s(), _task().s()) | _task().s(),
    "canvas.xmap": lambda: _task().map([1]),
    "canvas.xstarmap": lambda: _task().starmap([[1]]),
    "canvas.chunks": lambda: _task().chunks([[1]], 1),
    "result.AsyncResult": lambda: _app().AsyncResult("id"),
    "result.GroupResult": lambda: _app().GroupResult("id", []),
    "result.ResultSet": lambda: _app().ResultSet([]),
    "app.control.Control": lambda: _app().control,
    "app.control.Inspect": lambda: _app().control.inspect(),  # noqa: PLW0108  # not before somebody asks
}
#: The same, for classes that need no app: what their constructors take.
_MADE_OF: dict[str, tuple[Any, ...]] = {
    "result.EagerResult": ("id", 1, "SUCCESS"),
    "schedules.schedule": (1,),
    "schedules.crontab": (),
    "events.state.State": (),
    "bootsteps.Blueprint": (),
    "bootsteps.Step": (None,),
    "bootsteps.StartStopStep": (None,),
    "bootsteps.ConsumerStep": (None,),
}


def _in_module(name: Name) -> Any:
    return _imported(name.path)


@cache
def _schemas() -> tuple[Any, Any]:
    return kernel_schema(), _app().plugins.schema()


def _setting(name: Name) -> Any:
    return next((schema[name.member] for schema in _schemas() if name.member in schema), MISSING)


def _control(name: Name) -> Any:
    panel = _imported("worker.control.Panel")
    return MISSING if panel is MISSING else panel.data.get(name.member, MISSING)


@cache
def _command(words: str) -> Any:
    from celeriac.cli.main import celeriac_command

    found: Any = celeriac_command
    for word in words.split():
        if not isinstance(found, click.Group):
            return MISSING
        found = found.get_command(click.Context(found), word)
        if found is None:
            return MISSING
    return found


def _option(name: Name) -> Any:
    command = _command(name.member)
    if command is MISSING:
        return MISSING
    taken = {spelled for parameter in command.params for spelled in (*parameter.opts, *parameter.secondary_opts)}
    return command if set(name.takes) <= taken else MISSING


def _argument(name: Name) -> Any:
    command = _command(name.member)
    taken = {one.name for one in getattr(command, "params", ()) if isinstance(one, click.Argument)}
    return command if name.takes in taken else MISSING


def _driver(kind: str) -> Callable[[Name], Any]:
    @cache
    def offered() -> frozenset[str]:
        return frozenset(_app().plugins.driver_names(kind))

    def found(name: Name) -> Any:
        return name.member if name.member in offered() else MISSING

    return found


_FINDERS: dict[str, Callable[[Name], Any]] = {
    "class": _class,
    "member": _member,
    "signal": _in_module,
    "exception": _in_module,
    "state": _in_module,
    "setting": _setting,
    "control": _control,
    "command": lambda name: _command(name.member),
    "option": _option,
    "argument": _argument,
    "backends": _driver("backend"),
    "transports": _driver("broker"),
    "pools": _driver("pool"),
}
