"""``celeriac``: global options, and commands that are loaded when they are called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

import celeriac
from celeriac.cli.commands import LazyCommands
from celeriac.cli.state import State

if TYPE_CHECKING:
    from celeriac.app.base import Celery


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-A", "--app", metavar="APPLICATION", help="The app: a module, or module:attribute.")
@click.option("-b", "--broker", metavar="URL", help="The broker's URL, instead of the app's.")
@click.option("--result-backend", metavar="URL", help="The result store's URL, instead of the app's.")
@click.option("--loader", metavar="NAME", help="The loader of the default app.")
@click.option("--config", metavar="MODULE", help="The module with the configuration.")
@click.option("--workdir", metavar="DIRECTORY", type=click.Path(exists=True, file_okay=False), help="Work there.")
@click.option("-C", "--no-color", is_flag=True, help="No colour.")
@click.option("-q", "--quiet", is_flag=True, help="Say less.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
@click.option("--skip-checks", is_flag=True, help="Skip the checks of frameworks (Django).")
@click.version_option(celeriac.__version__, prog_name="celeriac")
@click.pass_context
def celeriac_command(context: click.Context, /, **options: Any) -> None:
    """Celeriac: a distributed task queue."""
    state = context.ensure_object(State)
    state.take(options)


def main(argv: Sequence[str] | None = None) -> None:
    """The program ``celeriac``.  Ends the process with the command's exit code."""
    run(None, sys.argv[1:] if argv is None else argv)


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
    except Exception as error:
        if state.debug or os.environ.get("CELERIAC_DEBUG"):
            raise
        code = state.explain(error)
    sys.exit(code if isinstance(code, int) else 0)
