"""The commands: found by entry point, imported when called."""

from __future__ import annotations

import click

from celeriac.cli.state import State
from celeriac.exceptions import PluginError

#: One line of each of the kernel's commands, so that ``--help`` imports none of them.
_SUMMARIES = {
    "worker": "Run a worker.",
    "call": "Send a task by name.",
    "result": "Show the result of a task.",
    "purge": "Remove all messages from queues.",
    "report": "Describe this installation, for bug reports.",
    "plugins": "List, show, check and create plugins.",
}


class LazyCommands(click.Group):
    """A group whose commands are drivers of the kind ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from celeriac.plugin.manager import PluginManager

        return sorted({*super().list_commands(ctx), *PluginManager().driver_names("command")})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from celeriac.plugin.manager import PluginManager

        found = super().get_command(ctx, cmd_name)
        if found is not None:
            return found
        manager = PluginManager()
        if cmd_name not in manager.driver_names("command"):
            return None
        loaded: click.Command = manager.driver("command", cmd_name)
        self._add_options(ctx, loaded)
        return loaded

    def _add_options(self, ctx: click.Context, command: click.Command) -> None:
        """The options that plugins and the app's user add to a command."""
        if not getattr(command, "takes_plugin_options", False) or getattr(command, "plugin_options", None) is not None:
            return
        state = ctx.find_object(State)
        app = state.app if state is not None and state.app_path else None
        name = command.name or ""
        if app is None:
            from celeriac.plugin.manager import PluginManager

            options = PluginManager().cli_options(name)
        else:
            options = [*app.plugins.cli_options(name), *app.user_options.get(name, ())]
        command.plugin_options = [option.name for option in options]  # type: ignore[attr-defined]  # read by the command
        command.params.extend(options)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, _SUMMARIES.get(name) or self._summary(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _summary(self, ctx: click.Context, name: str) -> str:
        try:
            command = self.get_command(ctx, name)
        except PluginError as error:
            return f"(cannot be loaded: {error})"
        return command.get_short_help_str(60) if command is not None else ""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1) if args else []
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None
            raise
