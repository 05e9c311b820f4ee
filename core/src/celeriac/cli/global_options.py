"""The options that every command takes, before its name or after it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from celeriac.cli.help import GLOBAL_HINT

if TYPE_CHECKING:
    from celeriac.cli.state import State


def global_options(**settings: Any) -> list[click.Option]:
    """Make the options, each with these settings of click's besides its own."""
    flag: dict[str, Any] = {"is_flag": True, **settings}
    return [
        click.Option(
            ["-A", "--app"], metavar="APPLICATION", help="The app: a module, or module:attribute.", **settings
        ),
        click.Option(["-b", "--broker"], metavar="URL", help="The broker's URL, instead of the app's.", **settings),
        click.Option(
            ["--result-backend"], metavar="URL", help="The result store's URL, instead of the app's.", **settings
        ),
        click.Option(["--loader"], metavar="NAME", help="The loader of the default app.", **settings),
        click.Option(["--config"], metavar="MODULE", help="The module with the configuration.", **settings),
        click.Option(["--workdir"], metavar="DIRECTORY", help="Work there.", **settings),
        click.Option(["-C", "--no-color"], help="No colour.", **flag),
        click.Option(["-q", "--quiet"], help="Say less.", **flag),
        click.Option(["--debug"], help="Show tracebacks of errors.", **flag),
        click.Option(["--skip-checks"], help="Skip the checks of frameworks (Django).", **flag),
    ]


def accepting(command: click.Command) -> click.Command:
    """A copy of `command`, and of the commands below it, that takes the global options too, where it has none alike."""
    changed = copy.copy(command)
    taken = {name for param in command.params for name in (*param.opts, *param.secondary_opts, param.name)}
    added = global_options(hidden=True, expose_value=False, is_eager=True, callback=_take)
    changed.params = [*command.params, *(one for one in added if taken.isdisjoint([*one.opts, one.name]))]
    changed.epilog = changed.epilog or GLOBAL_HINT
    if isinstance(changed, click.Group):
        changed.commands = {name: accepting(below) for name, below in changed.commands.items()}
    return changed


def found_in(command: click.Command, context: click.Context, arguments: Sequence[str]) -> Mapping[str, Any]:
    """The global options among the arguments of a command, before it is known which others it takes."""
    probe = click.Context(command, parent=context, ignore_unknown_options=True, allow_extra_args=True)
    try:
        found, _, _ = command.make_parser(probe).parse_args(list(arguments))
    except click.UsageError:  # told by whoever parses in earnest
        return {}
    names = {option.name for option in global_options()}
    return {name: value for name, value in found.items() if name in names and isinstance(value, str | bool)}


def _take(context: click.Context, param: click.Parameter, value: Any) -> Any:
    state: State | None = context.obj
    if value and state is not None and not context.resilient_parsing:
        state.take({param.name or "": value})
        if state.no_color:
            context.color = False
    return value
