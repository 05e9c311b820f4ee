"""``celeriac graph``: drawings in the DOT language, for Graphviz."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from celeriac.cli.answer import json_option
from celeriac.cli.help import Commands
from celeriac.cli.progress import waiting
from celeriac.cli.remote import silence

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.bootsteps import Blueprint
    from celeriac.cli.state import State

#: Seconds that workers which have answered before are given to answer again.
_PATIENCE: Final = 5.0
_BLUEPRINTS: Final = ("worker", "consumer")


@click.group("graph", cls=Commands)
def graph() -> None:
    """Draw what there is, in the DOT language: pipe it to `dot -Tsvg`."""


@graph.command("bootsteps")
@click.argument("blueprints", nargs=-1, type=click.Choice(_BLUEPRINTS))
@json_option
@click.pass_obj
def bootsteps(state: State, /, blueprints: tuple[str, ...], as_json: bool) -> None:
    """Draw which bootstep waits for which: of the worker, of its consumer, or of both."""
    from celeriac.worker.boot import WorkController

    controller = WorkController(state.app)
    try:
        found = {"worker": controller.blueprint, "consumer": controller.consumer.blueprint}
        drawn = _connected([found[name] for name in dict.fromkeys(blueprints or _BLUEPRINTS)]).graph
        if as_json:
            steps = {drawn.format(step): [drawn.format(other) for other in awaited] for step, awaited in drawn.items()}
            click.echo(json.dumps(steps))
        else:
            drawn.to_dot(sys.stdout)
    finally:
        controller.hub.close()


def _connected(blueprints: list[Blueprint]) -> Blueprint:
    first, *others = blueprints
    for other in others:
        first.connect_with(other)
    return first


@graph.command("workers")
@click.option("-t", "--timeout", type=float, default=1.0, show_default=True, help="Seconds to wait for workers.")
@json_option
@click.pass_obj
def workers(state: State, timeout: float, as_json: bool) -> None:
    """Draw which workers take from which queues of the broker, and where results go."""
    app = state.app
    with waiting(state, "waiting for workers"):
        queues = app.control.inspect(timeout=timeout).active_queues() or {}
        if not queues:
            raise silence(app)
        # Those that are known to be there are waited for longer, and no longer than until all have answered.
        stats = app.control.inspect(list(queues), timeout=max(timeout, _PATIENCE)).stats() or {}
    found = _seen(app, queues, stats)
    click.echo(json.dumps(found) if as_json else "\n".join(_drawing(found)))


def _seen(app: Celery, queues: Mapping[str, Any], stats: Mapping[str, Any]) -> dict[str, Any]:
    """What is drawn."""
    workers = [
        {
            "node": node,
            "concurrency": stats.get(node, {}).get("pool", {}).get("max-concurrency"),
            "queues": [queue["name"] for queue in queues[node]],
        }
        for node in sorted(queues)
    ]
    return {"broker": app.broker_uri(), "results": app.backend.as_uri(), "workers": workers}


def _drawing(found: Mapping[str, Any]) -> Iterator[str]:
    yield "digraph workers {"
    yield "    rankdir=LR;"
    yield f"    broker [label={_quoted(found['broker'])}, shape=box, style=rounded];"
    yield f"    results [label={_quoted(found['results'])}, shape=cylinder];"
    for number, worker in enumerate(found["workers"]):
        node, size = worker["node"], worker["concurrency"]
        label = node if size is None else f"{node} ({size} at once)"
        yield f"    worker{number} [label={_quoted(label)}, shape=oval];"
        for queue in worker["queues"]:
            yield f"    broker -> worker{number} [label={_quoted(queue)}];"
        yield f"    worker{number} -> results;"
    yield "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
