"""The control commands of this process, and the decorators that add to them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from celeriac.contracts.control import ControlCommand
from celeriac.exceptions import PluginConflict

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.worker.consumer.consumer import Consumer


H = TypeVar("H", bound=Callable[..., Any])


@dataclass(slots=True)
class PanelState:
    """What a command may use: the worker that obeys it."""

    app: Celery
    hostname: str
    consumer: Consumer


class Panel:
    """All commands that were added by decorator, in every app of the process."""

    #: Handlers by name and alias.
    data: ClassVar[dict[str, Callable[..., Any]]] = {}
    #: The commands by name.
    meta: ClassVar[dict[str, ControlCommand]] = {}

    @classmethod
    def register(cls, *args: Callable[..., Any], **kwargs: Any) -> Any:
        """Add a function; usable as a decorator with and without arguments, which are those of `ControlCommand`.

        The name is the function's, the help the first line of its docstring, unless they are given.
        """
        if args:
            return cls._add(args[0], **kwargs)
        return lambda function: cls._add(function, **kwargs)

    @classmethod
    def _add(cls, function: H, **kwargs: Any) -> H:
        kwargs["name"] = kwargs.get("name") or function.__name__
        kwargs["help"] = (kwargs.get("help") or inspect.getdoc(function) or "").strip().split("\n", 1)[0]
        cls.add(ControlCommand(handler=function, **kwargs))
        return function

    @classmethod
    def add(cls, command: ControlCommand) -> None:
        """Add a command; one that has its name is replaced."""
        cls.meta[command.name] = command
        cls.data[command.name] = command.handler
        if command.alias:
            cls.data[command.alias] = command.handler


def control_command(**kwargs: Any) -> Callable[[H], H]:
    """Make a function a command that changes a worker: ``@control_command(args=[("n", int)])``."""
    decorate: Callable[[H], H] = Panel.register(type="control", **kwargs)
    return decorate


def inspect_command(**kwargs: Any) -> Callable[[H], H]:
    """Make a function a command that only asks."""
    decorate: Callable[[H], H] = Panel.register(type="inspect", **kwargs)
    return decorate


def commands_of(app: Celery) -> Mapping[str, ControlCommand]:
    """All commands by name: those of this process, and those of the app's plugins.

    Raises `PluginConflict` where a plugin brings a command of a name that there is already.
    """
    found = dict(Panel.meta)
    for owner, command in app.plugins.control_commands():
        if command.name in found:
            raise PluginConflict(
                f"the control command {command.name!r} of {owner} has the name of another one; "
                "uninstall one of them, or disable it with CELERIAC_PLUGINS_DISABLE"
            )
        found[command.name] = command
    return found


def handlers_of(app: Celery) -> dict[str, Callable[..., Any]]:
    """Handlers by name and alias, of all commands."""
    handlers = dict(Panel.data)
    for command in commands_of(app).values():
        handlers[command.name] = command.handler
        if command.alias:
            handlers.setdefault(command.alias, command.handler)
    return handlers
