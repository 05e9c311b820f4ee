"""``celeriac init``: a small project to begin with."""

from __future__ import annotations

import keyword
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from celeriac.cli.state import State


@click.command("init")
@click.argument("name")
@click.option(
    "--directory", type=click.Path(file_okay=False), help="Where to write it; a directory NAME here if not given."
)
@click.pass_obj
def init(state: State, /, name: str, directory: str | None) -> None:
    """Write a small project: the app, a task, the configuration, and a test that runs it in a worker.

    NAME is that of its package.
    """
    from celeriac.cli.scaffold import write

    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name):
        raise click.UsageError(f"{name!r} cannot be the name of a package: use letters, digits and _, as in my_project")
    target = Path(directory or name)
    for path in write(["project"], target, {"package": name}, "name another with --directory"):
        click.echo(path)
    if not state.quiet:
        click.echo(f"\nNow:\n    cd {target}\n    celeriac -A {name} worker\n    python -m pytest")
