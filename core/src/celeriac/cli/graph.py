"""``celeriac graph``: drawings in the DOT language, for Graphviz."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from celeriac.bootsteps import Blueprint
    from celeriac.cli.state import State

_BLUEPRINTS: Final = ("worker", "consumer")


@click.group("graph")
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
