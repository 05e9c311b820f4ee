"""``celeriac queues``: what waits where."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from celeriac.cli.answer import json_option
from celeriac.cli.progress import waiting
from celeriac.cli.table import print_table
from celeriac.contracts.broker import QueueFigures

if TYPE_CHECKING:
    from celeriac.cli.state import State

_TITLES = ("queue", "ready", "held", "due s", "claimed", "oldest s", "consumers", "workers")


@click.command("queues")
@click.argument("names", nargs=-1, metavar="[QUEUES]...")
@click.option("-Q", "--queues", "more", help="The same, separated by commas.")
@click.option(
    "-t", "--timeout", type=float, default=1.0, show_default=True, help="Seconds to wait for workers; 0: none."
)
@json_option
@click.pass_obj
def queues(state: State, /, names: tuple[str, ...], more: str | None, timeout: float, as_json: bool) -> None:
    """Show what waits in the queues, and who takes from them; in those of the app and of its workers unless named.

    \b
    ready      messages that may be taken now
    held       messages that wait for their time in the broker
    due s      seconds until the first of these is due
    claimed    messages that workers have taken and not settled
    oldest s   seconds since the oldest ready one was sent
    consumers  what the broker knows of who listens
    workers    workers that say that they listen

    What a broker cannot tell is a dash (in JSON null).

    Messages that workers hold until they are due: celeriac inspect scheduled.
    """  # noqa: D301  # click wants the character itself
    from celeriac.app.queue_figures import figures_of

    app = state.app
    wanted = [*names, *(name.strip() for name in (more or "").split(",") if name.strip())]
    with waiting(state, "waiting for workers"):
        workers = _workers(app, timeout)
    chosen = wanted or sorted({*app.amqp.queues, *workers})
    found = figures_of(app, chosen)
    data = [_as_data(name, found.get(name), workers.get(name, 0) if timeout else None) for name in chosen]
    if as_json:
        click.echo(json.dumps(data))
        return
    print_table(state, _TITLES, [[_shown(value) for key, value in each.items() if key != "exists"] for each in data])
    missing = [each["queue"] for each in data if not each["exists"]]
    if missing:
        click.echo(f"Empty, or not there yet: {', '.join(missing)}", err=True)


def _workers(app: Any, timeout: float) -> Counter[str]:
    """How many workers listen to each queue."""
    answers = (app.control.inspect(timeout=timeout).active_queues() or {}) if timeout else {}
    return Counter(queue["name"] for listed in answers.values() for queue in listed)


def _as_data(name: str, figures: Any, workers: int | None) -> dict[str, Any]:
    if figures is None and workers:
        figures = QueueFigures(0)  # of a broker, as Redis, that keeps no empty queues
    told = {} if figures is None else figures._asdict()
    fields = {field: told.get(field) for field in ("ready", "held", "due", "claimed", "oldest", "consumers")}
    return {"queue": name, "exists": figures is not None, **fields, "workers": workers}


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)
