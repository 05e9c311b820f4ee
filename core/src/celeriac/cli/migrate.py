"""``celeriac migrate``."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from celeriac.cli.answer import json_option
from celeriac.cli.progress import counting

if TYPE_CHECKING:
    from celeriac.app.migrating import Migration
    from celeriac.cli.state import State


@click.command("migrate")
@click.argument("source")
@click.argument("destination")
@click.option("-n", "--limit", type=click.IntRange(1), help="So many messages at most.")
@click.option(
    "-t", "--timeout", type=float, default=1.0, show_default=True, help="End when nothing has come for so many seconds."
)
@click.option("-a", "--ack-messages", is_flag=True, help="Take the messages out of the source; else they are copied.")
@click.option("-T", "--tasks", help="Only messages of these tasks, separated by commas.")
@click.option("-Q", "--queues", help="Only these queues, separated by commas; those of the app unless given.")
@click.option("-F", "--forever", is_flag=True, help="Go on until interrupted.")
@json_option
@click.pass_obj
def migrate(state: State, /, source: str, destination: str, as_json: bool, **options: Any) -> int:
    """Copy or move waiting messages from one broker to another; SOURCE and DESTINATION are URLs.

    A message arrives in the queue that it was in.  It is sent before it is acked (--ack-messages), so that none is
    lost.  Ctrl-C ends this when those have arrived that are on their way; pressed twice, or where this dies, up to 100
    of them are in both.
    """
    from celeriac.app.migrating import Migration
    from celeriac.contracts.urls import mask_password

    app = state.app
    names = _names(options["queues"]) or list(app.amqp.queues)
    if source == destination:
        raise click.UsageError("the source and the destination are the same broker")
    migration = Migration(
        app,
        source,
        destination,
        names,
        ack=options["ack_messages"],
        tasks=frozenset(_names(options["tasks"])),
        limit=options["limit"],
        timeout=options["timeout"],
        forever=options["forever"],
    )
    with _stopping_at_signals(migration) as ended_by:
        _run(state, migration, hidden=as_json)
    sent = sum(migration.sent.values())
    if as_json:
        click.echo(json.dumps({"sent": migration.sent, "passed_over": migration.passed_over}))
    elif not state.quiet:
        what = "moved" if migration.ack else "copied"
        click.echo(f"{sent} messages {what} from {mask_password(source)} to {mask_password(destination)}")
        for queue, count in migration.sent.items():
            click.echo(f"    {queue}: {count}")
    if not ended_by or migration.forever:
        return 0
    if migration.ack:
        click.echo("interrupted: run it again to go on", err=True)
    else:
        click.echo("interrupted: all are still in the source, and those are in both that were copied", err=True)
    return 128 + ended_by[0]


def _run(state: State, migration: Migration, hidden: bool) -> None:
    with counting(state, "Messages") as tell:
        if tell is None or hidden or migration.forever:
            migration.run()
            return
        length = migration.waiting()
        if migration.limit is not None:
            length = min(length, migration.limit)
        migration.on_sent = lambda _: tell(sum(migration.sent.values()), length)
        migration.run()


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


@contextmanager
def _stopping_at_signals(migration: Migration) -> Iterator[list[int]]:
    """Stop in order at the first SIGINT or SIGTERM, at once at the second; the number of the first is in the list."""
    numbers: list[int] = []

    def handle(number: int, _: Any) -> None:
        if migration.is_stopping:
            raise SystemExit(128 + number)
        numbers.append(number)
        migration.stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield numbers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
