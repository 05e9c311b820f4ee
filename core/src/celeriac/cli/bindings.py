"""``celeriac list``: what the broker knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from celeriac.cli.answer import json_option
from celeriac.cli.help import Commands
from celeriac.cli.table import print_table

if TYPE_CHECKING:
    from celeriac.cli.state import State


@click.group("list", cls=Commands)
def list_command() -> None:
    """List what the broker knows."""


@list_command.command("bindings")
@json_option
@click.pass_obj
def bindings(state: State, /, as_json: bool) -> None:
    """List which queue gets what is sent to which exchange by which key.

    The queues of the app are declared first.  A broker that cannot tell (RabbitMQ: see `rabbitmqctl list_bindings`)
    has at least those.
    """
    app = state.app
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        for queue in app.amqp.queues.values():
            queue(channel).declare()
        found = _told(channel)
    if found is None:
        click.echo("This broker cannot list its bindings; these are the app's own.", err=True)
        found = list(_own(app))
    found.sort(key=lambda each: (each["destination"], each["source"], each["routing_key"]))
    if as_json:
        click.echo(json.dumps(found))
        return
    rows = [[each["destination"], each["source"] or "(default)", each["routing_key"]] for each in found]
    print_table(state, ["queue", "exchange", "routing key"], rows)


def _told(channel: Any) -> list[dict[str, str]] | None:
    """What the broker tells; None where it cannot."""
    list_bindings = getattr(channel, "list_bindings", None)
    if list_bindings is None:
        return None
    found = {(str(queue), str(exchange or ""), str(key or "")) for queue, exchange, key in list_bindings()}
    return [{"destination": queue, "source": exchange, "routing_key": key} for queue, exchange, key in found]


def _own(app: Any) -> Iterator[dict[str, str]]:
    for queue in app.amqp.queues.values():
        pairs = [(queue.exchange.name if queue.exchange else "", queue.routing_key)]
        pairs += [(each.exchange.name, each.routing_key) for each in queue.bindings]
        for exchange, key in dict.fromkeys(pairs):
            yield {"destination": queue.name, "source": exchange or "", "routing_key": key or ""}
