"""What extensions of the command line are made of (``celery.bin``)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
from kombu.utils.imports import symbol_by_name

from celeriac.protocol.timestamps import parse_iso

#: The program itself.
celery: Any = symbol_by_name("celeriac.cli.main:celeriac_command")
#: What a command finds as ``ctx.obj``.
CLIContext: Any = symbol_by_name("celeriac.cli.state:State")


class CeleryOption(click.Option):
    """An option with a title for the help."""

    def __init__(
        self,
        *args: Any,
        help_group: str | None = None,
        default_value_from_context: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.help_group = help_group
        self.default_value_from_context = default_value_from_context
        super().__init__(*args, **kwargs)


class DaemonOption(CeleryOption):
    """An option of a command that may run in the background; `daemon_setting` names what gives its default."""

    def __init__(self, *args: Any, daemon_setting: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, help_group=kwargs.pop("help_group", "Daemonization Options"), **kwargs)
        self.daemon_setting = daemon_setting or self.name


class CeleryCommand(click.Command):
    """A command."""


class CeleryDaemonCommand(CeleryCommand):
    """A command that may run in the background."""


class CommaSeparatedList(click.ParamType):  # type: ignore[type-arg]  # generic in some releases of click
    """Words between commas."""

    name = "comma separated list"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


class _Json(click.ParamType):  # type: ignore[type-arg]  # generic in some releases of click
    name = "json"
    kind: type = object

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, self.kind) and not isinstance(value, str):
            return value
        try:
            found = json.loads(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not isinstance(found, self.kind):
            self.fail(f"{value!r} is no {self.name}", param, ctx)
        return found


class JsonArray(_Json):
    """A list in JSON."""

    name = "json array"
    kind = list


class JsonObject(_Json):
    """A map in JSON."""

    name = "json object"
    kind = dict


class ISO8601DateTime(click.ParamType):  # type: ignore[type-arg]  # generic in some releases of click
    """A moment."""

    name = "iso-86091"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return parse_iso(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


class ISO8601DateTimeOrFloat(ISO8601DateTime):
    """A moment, or seconds."""

    name = "iso-86091 or float"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return float(value)
        except (TypeError, ValueError):
            return super().convert(value, param, ctx)


class LogLevel(click.Choice[str]):
    """The name of a log level."""

    def __init__(self) -> None:
        super().__init__(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "FATAL"), case_sensitive=False)


COMMA_SEPARATED_LIST = CommaSeparatedList()
JSON_ARRAY = JsonArray()
JSON_OBJECT = JsonObject()
ISO8601 = ISO8601DateTime()
ISO8601_OR_FLOAT = ISO8601DateTimeOrFloat()
LOG_LEVEL = LogLevel()


def handle_preload_options(f: Callable[..., Any]) -> Callable[..., Any]:
    """The command itself: options for all commands are seen to for all of them."""
    return f


def main() -> int:
    """The program ``celery``."""
    symbol_by_name("celeriac.cli.main:main")()
    return 0


__all__ = [
    "COMMA_SEPARATED_LIST",
    "ISO8601",
    "ISO8601_OR_FLOAT",
    "JSON_ARRAY",
    "JSON_OBJECT",
    "LOG_LEVEL",
    "CLIContext",
    "CeleryCommand",
    "CeleryDaemonCommand",
    "CeleryOption",
    "CommaSeparatedList",
    "DaemonOption",
    "ISO8601DateTime",
    "ISO8601DateTimeOrFloat",
    "JsonArray",
    "JsonObject",
    "LogLevel",
    "celery",
    "handle_preload_options",
    "main",
]
