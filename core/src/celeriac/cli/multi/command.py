"""The command ``celeriac multi``."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from celeriac.cli.multi.arguments import Arguments, parse
from celeriac.cli.multi.nodes import Node, expand, nodes_of
from celeriac.cli.multi.processes import pid_of, send, signal_named, start, wait_for_end

if TYPE_CHECKING:
    from celeriac.cli.state import State


class MultiCommand(click.Command):
    """Hands the words on as they are: most are options of workers, some written in a way of their own (``-c:1-3``)."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args[:1] in (["--help"], ["-h"]) and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        ctx.params["words"] = tuple(args)
        return []

    def make_parser(self, ctx: click.Context) -> Any:
        # For those who look for global options in the words: they are those of the workers.
        return click.Command("multi").make_parser(ctx)


@click.command("multi", cls=MultiCommand)
@click.argument("words", nargs=-1, metavar="COMMAND [NODES]... [OPTIONS]...")
@click.pass_context
def multi(context: click.Context, words: Sequence[str]) -> int:
    """Start, stop and list several workers on this machine.

    \b
    start NODES [OPTIONS]     start workers in the background
    stop NODES [-SIGNAL]      send a signal to each, TERM unless named
    stopwait NODES [-SIGNAL]  the same, and wait until they have ended
    restart NODES [-SIGNAL]   stop, wait, and start each with these options
    kill NODES                end them at once (KILL)
    show NODES [OPTIONS]      print the command that would start each
    names NODES               print their node names
    get NODE NODES [OPTIONS]  print the options of one
    expand PATTERN NODES      print a pattern (%n, %h, %p, %d) for each

    NODES are names (`one two`, `one@host`), a number (`3` is celery1, celery2 and celery3) or a range (`2-4`).
    OPTIONS are those of `celeriac worker`. With a colon they are for some of the nodes, by place or by name:
    `multi start 3 -c 4 -c:2 8 -Q:1,3 images`.  In --pidfile and --logfile, %n stands for the name of the node; give the
    same --pidfile to stop as to start.

    \b
    --range-prefix=NAME       call them NAME1, NAME2, ... in place of celery1, ...
    --prefix=, --suffix=      what comes before and after each name
    --hostname=HOST           the host in their names
    --executable=PATH         the Python that runs them
    --cmd=COMMAND             what runs in place of `celeriac worker --detach`
    -q, --quiet               say less
    -v, --verbose             say the commands
    --json                    with show, names, get and expand: print JSON
    """  # noqa: D301  # click wants the character itself
    if not words or words[0] == "help":
        click.echo(context.get_help(), color=context.color)
        return 0 if words else 64
    name, *rest = words
    if name not in _COMMANDS:
        from celeriac.plugin.spelling import did_you_mean

        raise click.UsageError(f"multi has no command {name!r}.{did_you_mean(name, _COMMANDS)}", context)
    return _COMMANDS[name](Call(context.obj, rest))


class Call:
    """What one call says; `words` are the positional ones that are no nodes, taken by the command."""

    def __init__(self, state: State, words: Sequence[str]) -> None:
        self.state = state
        self.given: Arguments = parse(words, _takes_value)
        self.quiet = self.given.take("-q", "--quiet") is not None or state.quiet
        self.verbose = self.given.take("-v", "--verbose") is not None
        self.as_json = self.given.take("--json") is not None
        self.given.take("--nosplash")
        if self.given.take("-C", "--no-color") is not None:
            state.take({"no_color": True})
            click.get_current_context().color = False

    def word(self, what: str) -> str:
        """The next positional word.  Raises `UsageError`."""
        if not self.given.names:
            raise click.UsageError(f"{what} is missing")
        return self.given.names.pop(0)

    def nodes(self) -> list[Node]:
        """The nodes."""
        return nodes_of(self.given, self.state.words())

    def say(self, text: str) -> None:
        """Tell how it goes."""
        if not self.quiet:
            click.echo(text)

    def print(self, found: Any, lines: Sequence[str]) -> int:
        """Print what was asked for."""
        click.echo(json.dumps(found) if self.as_json else "\n".join(lines))
        return 0


# -- starting and stopping --------------------------------------------------------------------------------------------


def _start(call: Call) -> int:
    return _start_all(call, call.nodes())


def _start_all(call: Call, nodes: Sequence[Node]) -> int:
    """Start each, also where another has failed; the exit code."""
    call.say("> Starting nodes...")
    started = [_started(call, node) for node in nodes]
    return 0 if all(started) else 1


def _started(call: Call, node: Node) -> bool:
    if call.verbose:
        call.say(f"\t+ {node.shown}")
    pid = pid_of(node)
    if pid is not None:
        click.echo(f"\t> {node.name}: runs already, as process {pid} ({node.pidfile})", err=True)
        return False
    code, told = start(node)
    if code == 0:
        call.say(f"\t> {node.name}: {click.style('OK', fg='green')}")
        return True
    click.echo(f"\t> {node.name}: {click.style('FAILED', fg='red')} with exit code {code}", err=True)
    for line in told.splitlines():
        click.echo(f"\t    {line}", err=True)
    return False


def _stop(call: Call) -> int:
    _signal_all(call, "TERM")
    return 0


def _stopwait(call: Call) -> int:
    _wait(call, _signal_all(call, "TERM"))
    return 0


def _restart(call: Call) -> int:
    signalled = _signal_all(call, "TERM")
    nodes = list(signalled)
    _wait(call, signalled)
    return _start_all(call, nodes)


def _kill(call: Call) -> int:
    _signal_all(call, "KILL")
    return 0


def _signal_all(call: Call, default: str) -> dict[Node, int | None]:
    """The nodes with the processes that were told to stop, None for those that did not run."""
    number = signal_named(call.given.take_signal() or default)
    found: dict[Node, int | None] = {}
    nodes = call.nodes()
    call.say("> Stopping nodes...")
    for node in nodes:
        pid = pid_of(node)
        found[node] = pid if pid is not None and send(pid, number) else None
        if found[node] is None:
            call.say(f"\t> {node.name}: DOWN")
        else:
            call.say(f"\t> {node.name}: {number.name.removeprefix('SIG')} -> {pid}")
        if number == signal.SIGKILL and found[node] is not None:
            node.pidfile.unlink(missing_ok=True)  # nobody else will
    return found


def _wait(call: Call, signalled: dict[Node, int | None]) -> None:
    names = {pid: node.name for node, pid in signalled.items() if pid is not None}
    if names:
        call.say(f"> Waiting for {len(names)} {'node' if len(names) == 1 else 'nodes'}...")
    wait_for_end(names, lambda pid: call.say(f"\t> {names[pid]}: {click.style('OK', fg='green')}"))


# -- printing ---------------------------------------------------------------------------------------------------------


def _show(call: Call) -> int:
    nodes = call.nodes()
    return call.print({node.name: list(node.command) for node in nodes}, [node.shown for node in nodes])


def _names(call: Call) -> int:
    names = [node.name for node in call.nodes()]
    return call.print(names, names)


def _get(call: Call) -> int:
    wanted = call.word("the name of a node")
    nodes = call.nodes()
    for node in nodes:
        if wanted in {node.name, node.name.partition("@")[0]}:
            return call.print(list(node.arguments), [" ".join(node.arguments)])
    raise click.UsageError(f"{wanted!r} is none of {', '.join(node.name for node in nodes)}")


def _expand(call: Call) -> int:
    pattern = call.word("the pattern")
    found = [expand(pattern, node.name) for node in call.nodes()]
    return call.print(found, found)


_COMMANDS: Final[dict[str, Callable[[Call], int]]] = {
    "start": _start,
    "stop": _stop,
    "stopwait": _stopwait,
    "stop_verify": _stopwait,
    "restart": _restart,
    "kill": _kill,
    "show": _show,
    "names": _names,
    "get": _get,
    "expand": _expand,
}

#: Options of `multi` itself that take no value.
_FLAGS: Final = frozenset({"-q", "--quiet", "-v", "--verbose", "--json", "--nosplash", "--no-color", "-C", "--debug"})
#: Those that take one.
_VALUED: Final = frozenset(
    {"--range-prefix", "--prefix", "--suffix", "--executable", "--cmd", "--pidfile", "--logfile", "--hostname"}
)


def _takes_value(option: str) -> bool | None:
    """Whether an option takes a value; None for one that is unknown."""
    from celeriac.cli.global_options import global_options
    from celeriac.cli.worker import worker  # its options are what most words are

    if option in _FLAGS:
        return False
    if option in _VALUED:
        return True
    for known in (*worker.params, *global_options()):
        if isinstance(known, click.Option) and option in (*known.opts, *known.secondary_opts):
            return not (known.is_flag or known.count)
    return None
