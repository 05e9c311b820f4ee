"""The commands: found by entry point, imported when called."""

from __future__ import annotations

import copy
from typing import Any

import click

from celeriac import signals
from celeriac.cli.global_options import accepting, found_in
from celeriac.cli.state import State
from celeriac.exceptions import PluginError

#: One line of each of the kernel's commands, so that ``--help`` imports none of them.
_SUMMARIES = {
    "worker": "Run a worker.",
    "beat": "Send periodic tasks.",
    "call": "Send a task by name.",
    "result": "Show the result of a task.",
    "inspect": "Ask workers.",
    "control": "Tell workers what to do.",
    "status": "Show which workers are there.",
    "events": "Watch the workers and their tasks.",
    "purge": "Remove all messages from queues.",
    "dlq": "Look at dead letters, run them again, remove them.",
    "graph": "Draw bootsteps, for Graphviz.",
    "report": "Describe this installation, for bug reports.",
    "amqp": "Declare, bind, get, publish: single operations on a broker.",
    "list": "List what the broker knows.",
    "logtool": "Search the logs of workers.",
    "migrate": "Copy or move messages from one broker to another.",
    "multi": "Start, stop and list several workers on this machine.",
    "doctor": "Check what can be at fault, and say what to do.",
    "init": "Write a small project to begin with.",
    "queues": "Show what waits in the queues, and who takes from them.",
    "shell": "Open a Python session with the app at hand.",
    "upgrade": "Bring what is written for old versions up to date.",
    "plugins": "List, show, check and create plugins.",
}
#: Commands that work without an app, and so without its options.
_WITHOUT_APP = frozenset({"init", "logtool", "multi", "upgrade"})


class LazyCommands(click.Group):
    """A group whose commands are drivers of the kind ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from celeriac.plugin.manager import PluginManager

        return sorted({*super().list_commands(ctx), *PluginManager().driver_names("command")})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = self._load(ctx, cmd_name)
        return None if command is None else self._with_preload_options(ctx, self._with_plugin_options(ctx, command))

    def _load(self, ctx: click.Context, name: str) -> click.Command | None:
        from celeriac.plugin.manager import PluginManager

        found = super().get_command(ctx, name)
        if found is None:
            manager = PluginManager()
            if name not in manager.driver_names("command"):
                return None
            found = manager.driver("command", name)
        return accepting(found)

    def _with_plugin_options(self, ctx: click.Context, command: click.Command) -> click.Command:
        """A copy with the options that plugins and the app's user add to the command."""
        if not getattr(command, "takes_plugin_options", False):
            return command
        state = ctx.find_object(State)
        name = command.name or ""
        if state is None or not state.has_app:
            from celeriac.plugin.manager import PluginManager

            options = PluginManager().cli_options(name)
        else:
            app = state.app
            users = sorted(app.user_options.get(name, ()), key=lambda option: str(option.name))
            options = [*app.plugins.cli_options(name), *users]
        changed = copy.copy(command)
        changed.plugin_options = [option.name for option in options]  # type: ignore[attr-defined]  # read by the command
        changed.params = [*command.params, *options]
        return changed

    def _with_preload_options(self, ctx: click.Context, command: click.Command) -> click.Command:
        """A copy with the options that the app's user adds to all commands; a signal tells of them before it runs."""
        state = ctx.find_object(State)
        if state is None or not state.has_app or command.name in _WITHOUT_APP or command.callback is None:
            return command
        app = state.app
        options = sorted(app.user_options.get("preload", ()), key=lambda option: str(option.name))
        inner = command.callback

        def tell_and_run(*args: Any, **kwargs: Any) -> Any:
            given = {option.name: kwargs.pop(option.name) for option in options}
            signals.user_preload_options.send(sender=command, app=app, options=given)
            return inner(*args, **kwargs)

        changed = copy.copy(command)
        changed.params = [*command.params, *options]
        changed.callback = tell_and_run
        return changed

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, _SUMMARIES.get(name) or self._summary(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, summary in rows if summary is not None])

    def _summary(self, ctx: click.Context, name: str) -> str | None:
        """One line; None of a command that is not to be listed."""
        try:
            command = self._load(ctx, name)
        except PluginError as error:
            return f"(cannot be loaded: {error})"
        return None if command is None or command.hidden else command.get_short_help_str(60)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        self._look_ahead(ctx, args)
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1) if args else []
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None
            raise

    def _look_ahead(self, ctx: click.Context, args: list[str]) -> None:
        """Which app it is may be said before the command or after it, and decides which options that takes."""
        state = ctx.find_object(State)
        if state is not None and not ctx.resilient_parsing:
            state.take(ctx.params)  # click calls the group's function, which takes them too, only after this
        command = self._load(ctx, args[0])
        if command is not None and state is not None and not ctx.resilient_parsing:
            state.take(found_in(command, ctx, args[1:]))
