"""How ``--help`` is laid out: options under titles, and commands with their whole summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import click

#: Where the options are found that every command takes.
GLOBAL_HINT = "Options for all commands, such as -A and --broker: celeriac --help"


class Commands(click.Group):
    """A group that cuts no summary off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, command.get_short_help_str(1000)) for name, command in found if command and not command.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


class Sections(click.Command):
    """A command whose options stand under titles; what stands nowhere comes last."""

    #: The names of options under each title.
    sections: ClassVar[Mapping[str, Sequence[str]]] = {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, rows in self._tables(ctx):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def _tables(self, ctx: click.Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        records: dict[Any, tuple[str, str]] = {}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is not None:
                records[param.name] = record
        for title, names in self.sections.items():
            yield title, [records.pop(name) for name in names if name in records]
        added = getattr(self, "plugin_options", ())
        yield "Options of plugins and of the app", [records.pop(name) for name in added if name in records]
        yield "Other options", list(records.values())
