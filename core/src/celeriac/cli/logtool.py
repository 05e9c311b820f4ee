"""``celeriac logtool``: what the logs of workers say."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

from celeriac.cli.answer import counted, json_option
from celeriac.cli.help import Commands
from celeriac.cli.log_records import Event, Record, records
from celeriac.cli.table import print_table

if TYPE_CHECKING:
    from celeriac.cli.state import State

_files = click.argument("files", nargs=-1, type=click.File("r", errors="replace"))


@click.group("logtool", cls=Commands)
def logtool() -> None:
    """Search the logs of workers, Celeriac's and Celery's, as text or JSON: those in FILES, or from standard input."""


@logtool.command("stats")
@_files
@json_option
@click.pass_obj
def stats(state: State, /, files: Sequence[TextIO], as_json: bool) -> None:
    """Count what became of each kind of task, and how long it took."""
    found: dict[str, dict[str, Any]] = {}
    errors = 0
    for record in _records(files):
        errors += record.is_error
        if record.event is not None:
            _count(found.setdefault(record.task, _nothing_yet()), record)
    for each in found.values():
        seconds = each.pop("seconds")
        each["mean"] = seconds / each["succeeded"] if each["succeeded"] else None
    if as_json:
        click.echo(json.dumps({"tasks": found, "errors": errors}))
        return
    rows = [[name, *(_shown(value) for value in each.values())] for name, each in sorted(found.items())]
    print_table(state, ["task", *(event.value for event in Event), "longest s", "mean s"], rows)
    click.echo(f"{counted(errors, 'error')} logged")


def _nothing_yet() -> dict[str, Any]:
    return {**{event.value: 0 for event in Event}, "longest": None, "seconds": 0.0}


def _count(found: dict[str, Any], record: Record) -> None:
    assert record.event is not None
    found[record.event.value] += 1
    if record.runtime is not None:
        found["seconds"] += record.runtime
        found["longest"] = max(record.runtime, found["longest"] or 0.0)


def _shown(value: int | float | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


@logtool.command("errors")
@_files
@json_option
def errors(files: Sequence[TextIO], as_json: bool) -> None:
    """Print the errors, each in a line."""
    _print((record for record in _records(files) if record.is_error), as_json, whole=False)


@logtool.command("traces")
@_files
@json_option
def traces(files: Sequence[TextIO], as_json: bool) -> None:
    """Print the records that have a traceback, whole."""
    _print((record for record in _records(files) if record.has_traceback), as_json)


@logtool.command("incomplete")
@_files
@json_option
def incomplete(files: Sequence[TextIO], as_json: bool) -> None:
    """Print the tasks that were received and of whose end there is nothing."""
    begun: dict[str, Record] = {}
    for record in _records(files):
        if record.event is Event.RECEIVED:
            begun[record.task_id] = record
        elif record.event is not None:
            begun.pop(record.task_id, None)
    _print(iter(begun.values()), as_json)


@logtool.command("debug")
@_files
@json_option
def debug(files: Sequence[TextIO], as_json: bool) -> None:
    """Print the records that are not about the receipt or the end of a task."""
    _print((record for record in _records(files) if record.event is None), as_json)


def _records(files: Sequence[TextIO]) -> Iterator[Record]:
    for file in files or (sys.stdin,):
        yield from records(file)


def _print(found: Iterator[Record], as_json: bool, whole: bool = True) -> None:
    if as_json:
        click.echo(json.dumps([_as_data(record) for record in found]))
        return
    for record in found:
        click.echo("\n".join(record.lines if whole else record.lines[:1]))


def _as_data(record: Record) -> dict[str, Any]:
    return {
        "level": record.level,
        "message": record.message,
        "more": record.more,
        "task": record.task or None,
        "task_id": record.task_id or None,
        "event": record.event,
    }
