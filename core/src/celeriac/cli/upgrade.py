"""``celeriac upgrade``: configuration of old, brought up to date."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from celeriac.cli.answer import counted, json_option
from celeriac.cli.help import Commands

if TYPE_CHECKING:
    from celeriac.cli.state import State


@click.group("upgrade", cls=Commands)
def upgrade() -> None:
    """Bring what is written for old versions up to date."""


@upgrade.command("settings")
@click.argument("filename", type=click.Path(exists=True, dir_okay=False, writable=True))
@click.option("--django", is_flag=True, help="Write names as Django projects do: CELERY_TASK_ROUTES.")
@click.option("--compat", is_flag=True, help="The same names as --django.")
@click.option("--no-backup", is_flag=True, help="Keep no copy of the file as it was (FILENAME.old).")
@json_option
@click.pass_obj
def settings(state: State, /, filename: str, django: bool, compat: bool, no_backup: bool, as_json: bool) -> None:
    """Write today's names of settings into a Python file in place of those from before Celery 4."""
    from celeriac.cli.old_settings import Rewriting, rewrite

    done: Rewriting = rewrite(filename, namespaced=django or compat, backup=not no_backup)
    if as_json:
        click.echo(json.dumps({"backup": done.backup, "changes": [change._asdict() for change in done.changes]}))
        return
    for change in done.changes:
        click.echo(f"{filename}:{change.line}: {change.old} -> {change.new}")
    if not state.quiet:
        kept = f"; the file as it was is {done.backup}" if done.backup else ""
        click.echo(f"{counted(len(done.changes), 'name')} changed{kept}")
        if done.changes and (django or compat):
            click.echo('The app must read them so: app.config_from_object("django.conf:settings", namespace="CELERY")')
