"""The reference of the command line, made from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, Final

import click

from celeriac.cli.main import celeriac_command

_INTRODUCTION: Final = """\
# The command line

Every command and option, with Celery's spelling where Celery has them. `celeriac COMMAND --help` prints the same.
How to complete them in a shell, find the app and have output for programs: [how to use the command
line](../how-to/command-line.md). This page is made from the commands (`python -m celeriac.cli.reference`); a test
holds it equal.

Exit codes: 0 for success, 1 for an error, 2 for words that make no sense, 69 where no worker has answered, 130 when
interrupted.
"""


def render() -> str:
    """The page, in Markdown."""
    parts = [_INTRODUCTION, "\n## celeriac\n\nBefore the command or after it.\n", *_table(celeriac_command)]
    context = click.Context(celeriac_command, info_name="celeriac")
    for name in celeriac_command.list_commands(context):
        command = celeriac_command.commands.get(name) or _kernels_own(name)
        if command is not None:
            parts += _section(command, f"celeriac {name}", 2)
    return "".join(parts)


def _kernels_own(name: str) -> click.Command | None:
    """The command of that name; None for one of a plugin, which has a document of its own."""
    from celeriac.plugin.manager import PluginManager

    found: click.Command = PluginManager().driver("command", name)
    module = getattr(found.callback, "__module__", "")
    return found if module.startswith("celeriac.") else None


def _section(command: click.Command, path: str, level: int) -> Iterator[str]:
    yield f"\n{'#' * level} {path}\n"
    yield from _help(command.help or "")
    yield f"\n`{_usage(command, path)}`\n"
    yield from _table(command)
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _section(command.commands[name], f"{path} {name}", min(level + 1, 4))


def _usage(command: click.Command, path: str) -> str:
    pieces = command.collect_usage_pieces(click.Context(command, info_name=path))
    return " ".join([path, *pieces])


def _help(text: str) -> Iterator[str]:
    for paragraph in cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield f"\n```text\n{paragraph.removeprefix(chr(8)).strip(chr(10))}\n```\n"
        else:
            yield f"\n{paragraph}\n"


def _table(command: click.Command) -> Iterator[str]:
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    if not options:
        return
    yield "\n| option | meaning |\n|---|---|\n"
    for option in options:
        names = ", ".join(f"`{each}`" for each in option.opts)
        if option.secondary_opts:
            names += " / " + ", ".join(f"`{each}`" for each in option.secondary_opts)
        yield f"| {names}{_value(option)} | {_meaning(option)} |\n"


def _value(option: click.Option) -> str:
    if option.is_flag or option.count:
        return ""
    kind: Any = option.type
    choices = "\\|".join(kind.choices) if isinstance(kind, click.Choice) else None
    return f" {choices or option.metavar or kind.name.upper()}"


def _meaning(option: click.Option) -> str:
    text = (option.help or "").replace("|", "\\|")
    if option.show_default and option.default not in {None, False}:
        text += f" Default: {option.default}."
    return text


if __name__ == "__main__":
    click.echo(render(), nl=False)
