"""What Celery's own ``celery`` loads at each start, as it loads the commands of all plugins: so it is told there."""

from __future__ import annotations

import click

from celeriac_celery import conflict


@click.command("celeriac", hidden=True)
def celeriac() -> None:
    """Say whose ``celery`` this is."""
    click.echo(conflict.found() or "celeriac-celery")


if conflict.is_shadowed():
    conflict.tell()
