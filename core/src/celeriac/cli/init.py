"""``celeriac init``: a small project to begin with."""

from __future__ import annotations

import keyword
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

import click

from celeriac.cli.answer import answer, json_option

if TYPE_CHECKING:
    from celeriac.cli.state import State


@click.command("init")
@click.argument("name")
@click.option(
    "--directory", type=click.Path(file_okay=False), help="Where to write it; a directory NAME here if not given."
)
@json_option
@click.pass_obj
def init(state: State, /, name: str, directory: str | None, as_json: bool) -> None:
    """Write a small project: the app, a task, the configuration, and a test that runs it in a worker.

    NAME is that of its package.
    """
    from celeriac.cli.scaffold import write

    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name):
        raise click.UsageError(f"{name!r} cannot be the name of a package: use letters, digits and _, as in my_project")
    if _is_taken(name):
        raise click.UsageError(
            f"{name!r} is the name of a module that is there already, and would hide it: name another"
        )
    target = Path(directory or name)
    written = write(["project"], target, {"package": name}, "name another with --directory")
    answer({"files": written}, as_json, "\n".join(written))
    if not state.quiet and not as_json:
        click.echo(f"\nNow:\n    cd {target}\n    celeriac -A {name} worker\n    python -m pytest")


def _is_taken(name: str) -> bool:
    """Whether a module of Python's or of a distribution is called so; what lies in this directory is no such."""
    if name in sys.stdlib_module_names or name == "tests":
        return True
    spec = PathFinder.find_spec(name, [path for path in sys.path if path not in {"", str(Path.cwd())}])
    return spec is not None and spec.origin is not None
