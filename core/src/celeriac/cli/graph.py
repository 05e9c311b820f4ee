"""``celeriac graph``: drawings in the DOT language, for Graphviz."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

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
@click.pass_obj
def bootsteps(state: State, /, blueprints: tuple[str, ...]) -> None:
    """Draw which bootstep waits for which: of the worker, of its consumer, or of both."""
    from celeriac.worker.boot import WorkController

    controller = WorkController(state.app)
    try:
        found = {"worker": controller.blueprint, "consumer": controller.consumer.blueprint}
        _connected([found[name] for name in dict.fromkeys(blueprints or _BLUEPRINTS)]).graph.to_dot(sys.stdout)
    finally:
        controller.hub.close()


def _connected(blueprints: list[Blueprint]) -> Blueprint:
    first, *others = blueprints
    for other in others:
        first.connect_with(other)
    return first


@graph.command("workers")
@click.option("-t", "--timeout", type=float, default=1.0, show_default=True, help="Seconds to wait for workers.")
@click.pass_obj
def workers(state: State, timeout: float) -> None:
    """Draw which workers take from which queues of the broker, and where results go."""
    app = state.app
    with waiting(state, "waiting for workers"):
        queues = app.control.inspect(timeout=timeout).active_queues() or {}
        if not queues:
            raise silence(app, timeout)
        # Those that are known to be there are waited for longer, and no longer than until all have answered.
        stats = app.control.inspect(list(queues), timeout=max(timeout, _PATIENCE)).stats() or {}
    click.echo("\n".join(_drawing(app, queues, stats)))


def _drawing(app: Celery, queues: Mapping[str, Any], stats: Mapping[str, Any]) -> Iterator[str]:
    broker, results = app.broker_uri(), app.backend.as_uri()
    yield "digraph workers {"
    yield "    rankdir=LR;"
    yield f"    broker [label={_quoted(broker)}, shape=box, style=rounded];"
    yield f"    results [label={_quoted(results)}, shape=cylinder];"
    for number, node in enumerate(sorted(queues)):
        size = stats.get(node, {}).get("pool", {}).get("max-concurrency")
        label = node if size is None else f"{node} ({size} at once)"
        yield f"    worker{number} [label={_quoted(label)}, shape=oval];"
        for queue in queues[node]:
            yield f"    broker -> worker{number} [label={_quoted(queue['name'])}];"
        yield f"    worker{number} -> results;"
    yield "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
