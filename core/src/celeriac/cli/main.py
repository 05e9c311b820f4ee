"""``celeriac``: global options, and commands that are loaded when they are called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

import celeriac
from celeriac.cli.commands import LazyCommands
from celeriac.cli.early import patch_for_pool
from celeriac.cli.global_options import global_options
from celeriac.cli.state import State
from celeriac.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from celeriac.app.base import Celery


@click.group(cls=LazyCommands, params=global_options(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(celeriac.__version__, prog_name="celeriac")
@click.pass_context
def celeriac_command(context: click.Context, /, **options: Any) -> None:
    """Celeriac: a distributed task queue."""
    state = context.ensure_object(State)
    state.take(options)
    if state.no_color:
        context.color = False


def main(argv: Sequence[str] | None = None) -> None:
    """The program ``celeriac``.  Ends the process with the command's exit code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        patch_for_pool(words)
    except ImproperlyConfigured as error:  # its library cannot be used
        sys.exit(State().explain(error))
    run(None, words)


def run(app: Celery | None, argv: Sequence[str]) -> None:
    """Run the command line `argv`, for `app` where it is given.  Raises SystemExit."""
    state = State(app)
    try:
        code = celeriac_command.main(args=list(argv), prog_name="celeriac", obj=state, standalone_mode=False)
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        code = 130
    except BrokenPipeError:
        # Whoever read our output has had enough; nor must the interpreter find out at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        if state.debug:
            raise
        code = state.explain(error)
    sys.exit(code if isinstance(code, int) else 0)
