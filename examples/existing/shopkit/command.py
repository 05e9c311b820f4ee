import click
from celery.bin.base import CeleryCommand, handle_preload_options


@click.command(cls=CeleryCommand, name="opening-hours")
@click.pass_context
@handle_preload_options
def opening_hours(ctx):
    """Say when the shop is open."""
    app = ctx.obj.app
    ctx.obj.echo(f"{app.main}: nine to five, {app.conf.timezone}")
