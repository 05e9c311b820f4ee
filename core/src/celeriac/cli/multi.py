"""``celeriac multi``: several workers on this machine, started, stopped and listed by name."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

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
    -j, --json                print JSON
    """  # noqa: D301  # click wants the character itself
    if not words or words[0] == "help":
        click.echo(context.get_help(), color=context.color)
        return 0 if words else 64
    from celeriac.apps.multi import MultiTool

    state: State = context.obj
    tool = MultiTool(
        extra_args=shlex.join(state.words()),
        quiet=state.quiet,
        no_color=state.no_color,
        takes_value=_takes_value,
    )
    return tool.call_command(words[0], words[1:])


def _takes_value(option: str) -> bool | None:
    """Whether an option takes a value; None for one that is unknown."""
    from celeriac.cli.global_options import global_options
    from celeriac.cli.worker import worker  # its options are what most words are

    for known in (*worker.params, *global_options()):
        if isinstance(known, click.Option) and option in (*known.opts, *known.secondary_opts):
            return not (known.is_flag or known.count)
    return None
