"""``celeriac inspect``, ``control`` and ``status``: asking workers, and telling them what to do."""

from __future__ import annotations

import json
import pprint
from collections.abc import Iterator, Mapping, Sequence
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, Final

import click

from celeriac.cli import completing
from celeriac.cli.answer import counted, json_option
from celeriac.cli.progress import waiting
from celeriac.exceptions import CeleryCommandException

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.cli.state import State
    from celeriac.contracts.control import ControlCommand

#: The exit code where no worker has answered: that of a service which is not there.
UNAVAILABLE: Final = 69

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})

_OPTIONS: Final = (
    click.option("-t", "--timeout", type=float, help="Seconds to wait for each further answer."),
    click.option("-d", "--destination", help="Node names, separated by commas; all workers unless given."),
    json_option,
)


def _asking(function: Any) -> Any:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("inspect")
@click.argument("command", required=False, shell_complete=completing.remote_commands("inspect"))
@click.argument("arguments", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="List the commands, and end.")
@_asking
@click.pass_obj
def inspect(state: State, /, command: str | None, arguments: Sequence[str], listed: bool, **options: Any) -> int:
    """Ask workers: COMMAND is one of those that --list shows."""
    return _run(state, "inspect", command, arguments, listed, **options)


@click.command("control")
@click.argument("command", required=False, shell_complete=completing.remote_commands("control"))
@click.argument("arguments", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="List the commands, and end.")
@_asking
@click.pass_obj
def control(state: State, /, command: str | None, arguments: Sequence[str], listed: bool, **options: Any) -> int:
    """Tell workers what to do: COMMAND is one of those that --list shows."""
    return _run(state, "control", command, arguments, listed, **options)


@click.command("status")
@_asking
@click.pass_obj
def status(state: State, /, timeout: float | None, destination: str | None, as_json: bool) -> int:
    """Show which workers are there."""
    replies = _ask(state, "ping", {}, 1.0 if timeout is None else timeout, destination)
    if as_json:
        click.echo(json.dumps(replies))
    else:
        for node, answer in replies.items():
            _show(node, answer, with_answer=False)
        if not state.quiet:
            click.echo(f"\n{counted(len(replies), 'node')} online.")
    return 0


def _run(
    state: State,
    kind: str,
    name: str | None,
    arguments: Sequence[str],
    listed: bool,
    timeout: float | None,
    destination: str | None,
    as_json: bool,
) -> int:
    from celeriac.worker.control import commands_of

    commands = {name: found for name, found in commands_of(state.app).items() if found.type == kind}
    if listed:
        _list(kind, [found for found in sorted(commands.values(), key=_name) if found.visible], as_json)
        return 0
    if name is None:
        raise click.UsageError(f"which command? `celeriac {kind} --list` shows them.")
    by_alias = {found.alias: found for found in commands.values() if found.alias}
    command = commands.get(name) or by_alias.get(name)
    if command is None:
        raise click.UsageError(_unknown(kind, name, commands))
    given = _given(command, arguments)
    replies = _ask(state, command.name, given, command.default_timeout if timeout is None else timeout, destination)
    if as_json:
        click.echo(json.dumps(replies))
    else:
        for node, answer in replies.items():
            _show(node, answer, with_answer=not state.quiet)
    return 1 if any(_error_of(answer) is not None for answer in replies.values()) else 0


def _unknown(kind: str, name: str, commands: Mapping[str, ControlCommand]) -> str:
    from celeriac.plugin.spelling import did_you_mean

    return f"there is no command {name!r} of `celeriac {kind}`.{did_you_mean(name, list(commands))}"


def _list(kind: str, commands: Sequence[ControlCommand], as_json: bool) -> None:
    if as_json:
        data = [{"name": each.name, "signature": each.signature, "help": each.help} for each in commands]
        click.echo(json.dumps(data))
        return
    formatter = click.HelpFormatter()
    with formatter.section(f"Commands of `celeriac {kind}`"):
        formatter.write_dl(
            [(" ".join(filter(None, (each.name, each.signature))), each.help) for each in commands], col_max=40
        )
    click.echo(formatter.getvalue().rstrip())


def _name(command: ControlCommand) -> str:
    return command.name


# -- asking -----------------------------------------------------------------------------------------------------------


def _ask(
    state: State, command: str, arguments: Mapping[str, Any], timeout: float, destination: str | None
) -> dict[str, Any]:
    """The answers by node name.  Raises `CeleryCommandException` where there are none."""
    from celeriac.app.replies import flatten_reply

    nodes = [node.strip() for node in destination.split(",") if node.strip()] if destination else None
    with waiting(state, "waiting for workers"):
        replies = state.app.control.broadcast(command, arguments, destination=nodes, reply=True, timeout=timeout)
    if not replies:
        raise silence(state.app, nodes)
    return flatten_reply(replies)


def silence(app: Celery, nodes: Sequence[str] | None = None) -> CeleryCommandException:
    """The error to raise where nobody has answered."""
    with app.connection_for_write() as connection:
        if "fanout" not in connection.transport.implements.exchange_type:
            return CeleryCommandException(
                f"the broker {app.broker_uri()} reaches one receiver only, so that no worker can be asked",
                exit_code=UNAVAILABLE,
            )
    whom = "No worker" if nodes is None else f"None of {', '.join(nodes)}"
    return CeleryCommandException(
        f"{whom} has answered; is one running, on the broker {app.broker_uri()}?",
        exit_code=UNAVAILABLE,
    )


def _given(command: ControlCommand, words: Sequence[str]) -> dict[str, Any]:
    """The words of the command line as the command's arguments.  Raises `UsageError`."""
    left = list(words)
    given: dict[str, Any] = {}
    for name, kind in command.args:
        if name == command.variadic:
            given[name] = [_converted(command, name, kind, word) for word in left]
            left = []
        elif left:
            given[name] = _converted(command, name, kind, left.pop(0))
    usage = " ".join(filter(None, (command.name, command.signature)))
    if left:
        raise click.UsageError(f"too many arguments: {' '.join(left)}. Usage: {usage}")
    if missing := [name for name in _required(command) if name not in given]:
        raise click.UsageError(f"{command.name} needs {' and '.join(missing)}. Usage: {usage}")
    return given


def _required(command: ControlCommand) -> list[str]:
    """The arguments that the command does not do without."""
    parameters = signature(command.handler).parameters
    return [name for name, _ in command.args if name in parameters and parameters[name].default is Parameter.empty]


def _converted(command: ControlCommand, name: str, kind: Any, word: str) -> Any:
    if kind is bool:
        if word.lower() in _TRUE | _FALSE:
            return word.lower() in _TRUE
        raise click.UsageError(f"{name} of {command.name} is true or false, not {word!r}")
    try:
        return kind(word)
    except (TypeError, ValueError) as error:
        raise click.UsageError(f"{word!r} is no {name} for {command.name}: {error}") from None


# -- showing ----------------------------------------------------------------------------------------------------------


def _error_of(answer: Any) -> Any:
    return answer.get("error") if isinstance(answer, Mapping) and "error" in answer else None


def _show(node: str, answer: Any, with_answer: bool) -> None:
    error = _error_of(answer)
    if error is not None:
        click.echo(f"->  {click.style(node, bold=True)}: {click.style('ERROR', fg='red')}: {error}")
        return
    click.echo(f"->  {click.style(node, bold=True)}: {click.style('OK', fg='green')}")
    if with_answer:
        text = _text(answer)
        if text:
            click.echo("\n".join(f"        {line}" for line in text.splitlines()))


def _text(answer: Any) -> str:
    if isinstance(answer, Mapping) and set(answer) == {"ok"}:
        answer = answer["ok"]
    if answer is None:
        return ""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list):
        return "\n".join(f"* {_text(item)}".replace("\n", "\n  ") for item in answer) or "- empty -"
    if isinstance(answer, Mapping):
        return "\n".join(_lines(answer)) or "- empty -"
    return pprint.pformat(answer, width=100)


def _lines(found: Mapping[Any, Any]) -> Iterator[str]:
    """A map, a field in each line; what is not set is left out."""
    for name, value in found.items():
        if isinstance(value, Mapping) and value:
            yield f"{name}:"
            yield from (f"    {line}" for line in _lines(value))
        elif value is not None:
            yield f"{name}: {value}"
