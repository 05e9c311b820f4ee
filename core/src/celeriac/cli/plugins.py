"""`celeriac plugins`: who offers what, in which state, and whether it does what its contract says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from celeriac.cli.answer import answer, json_option
from celeriac.cli.help import Commands
from celeriac.cli.progress import waiting
from celeriac.plugin import drivers
from celeriac.plugin.index import KERNEL, normalize
from celeriac.plugin.manager import PluginManager
from celeriac.plugin.specs import HOOKS
from celeriac.plugin.spelling import did_you_mean
from celeriac.plugin.state import State

if TYPE_CHECKING:
    from celeriac.plugin.state import PluginState


@click.group(cls=Commands, invoke_without_command=True)
@json_option
@click.option("--quick", is_flag=True, help="Don't import drivers to see whether they can be.")
@click.pass_context
def plugins(context: click.Context, as_json: bool, quick: bool) -> None:
    """List, examine, check and create plugins; without a command: list them."""
    if context.invoked_subcommand is None:
        context.invoke(list_plugins, as_json=as_json, quick=quick)
    elif as_json or quick:
        raise click.UsageError(f"--json and --quick belong behind the command: {context.invoked_subcommand} --json")


def _manager(context: click.Context) -> PluginManager:
    """The plugins of the app that ``-A`` names, or those that every app has."""
    app = getattr(context.obj, "app", None)
    found = None if app is None else app.plugins
    return found if isinstance(found, PluginManager) else PluginManager()


@plugins.command("list")
@json_option
@click.option("--quick", is_flag=True, help="Don't import drivers to see whether they can be.")
@click.pass_context
def list_plugins(context: click.Context, as_json: bool = False, quick: bool = False) -> None:
    """List every distribution that offers something, with its state."""
    with waiting(context.obj, "importing drivers"):
        states = _manager(context).states(check_drivers=not quick)
    if as_json:
        click.echo(json.dumps([_as_data(state) for state in states], indent=2))
        return
    width = max(len(_title(state)) for state in states)
    for state in states:
        click.echo(f"{_title(state):{width}}  {state.state}")
        for name, value in _offered(state):
            click.echo(f"    {name:12}{value}")
        if state.reason:
            click.echo(f"    why         {state.reason}")


@plugins.command()
@click.argument("name")
@json_option
@click.pass_context
def show(context: click.Context, name: str, as_json: bool) -> None:
    """Show all about the distribution NAME (celeriac- may be left out)."""
    manager = _manager(context)
    state = find_state(manager, name)
    provider = manager.index.provider(state.distribution)
    targets = [] if provider is None else [f"{offer.group}: {offer.name} = {offer.value}" for offer in provider.offers]
    schema = manager.schema()
    settings = [setting for setting in schema if schema.owner(setting.name) == f"{state.distribution} {state.version}"]
    if as_json:
        data = _as_data(state)
        data["entry_points"] = targets
        data["settings"] = {setting.name: setting.doc for setting in settings}
        click.echo(json.dumps(data, indent=2))
        return
    click.echo(_title(state))
    lines = [("state", str(state.state)), ("why", state.reason), ("location", state.location), *_offered(state)]
    for label, value in lines:
        if value:
            click.echo(f"    {label:12}{value}")
    for title, items in (
        ("entry points", targets),
        ("settings", [f"{setting.name}: {setting.doc}" for setting in settings]),
    ):
        if items:
            click.echo(f"    {title}")
            for item in items:
                click.echo(f"        {item}")


@plugins.command()
@click.argument("name")
@click.option("--url", help="The broker or result store to check against; NAME:// if not given.")
@click.option(
    "--kind",
    type=click.Choice(["broker", "backend", "serializer", "compressor", "pool", "scheduler"]),
    help="Check only this kind.",
)
@click.option(
    "--level",
    type=click.Choice(["core", "recommended", "optional", "stress"]),
    default="optional",
    show_default=True,
    help="Run the tests up to this level; stress kills processes and takes a while.",
)
@click.option("--only", metavar="WORDS", default="", help="Run only the tests with these words in their name.")
@click.option(
    "--queue-type",
    metavar="TYPE",
    default="",
    help="Check a broker that has several types of queues on those of TYPE: quorum, on RabbitMQ, where the queues in "
    "which messages wait for their time are left as workers use them.",
)
@json_option
@click.pass_context
def check(
    context: click.Context,
    name: str,
    url: str | None,
    kind: str | None,
    level: str,
    only: str,
    queue_type: str,
    as_json: bool,
) -> None:
    """Run the conformance kit.

    NAME is a distribution, a driver's name or a URL. The check uses queues and results of its own and deletes them.
    """
    from celeriac.cli.plugin_check import Printing, print_totals, run_checks  # the kit costs what it tests

    telling = None if as_json else Printing()
    reports = run_checks(_manager(context), name, url, kind, level, only, telling, queue_type)
    if as_json:
        click.echo(json.dumps([checked.as_data() for checked in reports], indent=2))
    else:
        print_totals(reports)
    if any(checked.failed for checked in reports):
        context.exit(1)


@plugins.command()
@click.argument("name", required=False)
@json_option
def hooks(name: str | None, as_json: bool) -> None:
    """Print the reference of all hooks, or of the hook NAME (celeriac_ may be left out)."""
    from celeriac.plugin import reference  # only this command prints it

    chosen = [hook for hook in HOOKS if name in {None, hook, hook.removeprefix(f"{KERNEL}_")}]
    if not chosen:
        raise click.ClickException(f"there is no hook {name!r}.{did_you_mean(name or '', HOOKS)}")
    if as_json:
        found = [{"signature": reference.signature_of(hook), "text": reference.text_of(hook)} for hook in chosen]
        click.echo(json.dumps(dict(zip(chosen, found, strict=True)), indent=2))
        return
    click.echo(reference.render() if name is None else reference.section_of(chosen[0]), nl=False)


@plugins.command()
@click.argument("kind", type=click.Choice(["broker", "backend", "serializer", "pool"]))
@click.argument("name")
@click.option(
    "--directory", type=click.Path(file_okay=False), help="Where to write it; celeriac-NAME here if not given."
)
@json_option
def new(kind: str, name: str, directory: str | None, as_json: bool) -> None:
    """Write a new plugin distribution: a driver that works, and that people choose by NAME, with its tests."""
    from celeriac.cli.scaffold import write_plugin  # only this command writes

    written = write_plugin(kind, name, directory)
    answer({"files": written}, as_json, "\n".join(written))


def find_state(manager: PluginManager, name: str) -> PluginState:
    """The state of the distribution of that name.  Raises `click.ClickException` with the nearest spelling."""
    states = manager.states(check_drivers=True)
    wanted = {normalize(name), normalize(f"{KERNEL}-{name}")}
    for state in states:
        if normalize(state.distribution) in wanted:
            return state
    near = did_you_mean(name, {state.distribution for state in states})
    raise click.ClickException(f"no installed distribution {name!r} offers anything.{near}")


def _title(state: PluginState) -> str:
    return f"{state.distribution} {state.version}".rstrip()


def _offered(state: PluginState) -> list[tuple[str, str]]:
    lines = [
        (drivers.group_of(kind).removeprefix(f"{KERNEL}."), ", ".join(names)) for kind, names in state.drivers.items()
    ]
    if state.hooks:
        lines.append(("hooks", ", ".join(hook.removeprefix(f"{KERNEL}_") for hook in state.hooks)))
    return lines


def _as_data(state: PluginState) -> dict[str, Any]:
    return {
        "distribution": state.distribution,
        "version": state.version,
        "state": str(state.state),
        "ready": state.state is State.READY,
        "reason": state.reason,
        "hooks": list(state.hooks),
        "drivers": {kind: list(names) for kind, names in state.drivers.items()},
        "location": state.location,
    }
