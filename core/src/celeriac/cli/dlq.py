"""``celeriac dlq``: messages that were kept because they will not be run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from celeriac.cli.answer import answer, counted, json_option
from celeriac.cli.help import Commands
from celeriac.cli.progress import counting
from celeriac.cli.table import print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from celeriac.app.dead_letters import DeadLetters
    from celeriac.cli.state import State


def _letters(state: State, on_step: Callable[[int, int], None] | None = None) -> DeadLetters:
    from celeriac.app.dead_letters import DeadLetters

    return DeadLetters(state.app, on_step)


@click.group("dlq", cls=Commands)
def dlq() -> None:
    """Look at dead letters, run them again, remove them.

    A message is kept as a dead letter when it will not be run: the setting task_dead_letters says which.  Those of the
    queue NAME wait in the queue NAME.dlq.
    """


@dlq.command("list")
@click.option("-Q", "--queues", help="Of these queues, separated by commas; of all that are configured unless given.")
@json_option
@click.pass_obj
def list_queues(state: State, /, queues: str | None, as_json: bool) -> None:
    """Count the dead letters of each queue."""
    names = [name.strip() for name in (queues or "").split(",") if name.strip()]
    counts = _letters(state).counts(names or None)
    if as_json:
        click.echo(json.dumps(counts))
        return
    print_table(state, ("queue", "dead letters"), [(queue, str(count)) for queue, count in counts.items()])


@dlq.command("show")
@click.argument("queue")
@click.option("-n", "--limit", type=click.IntRange(1), default=100, show_default=True, help="So many, the oldest.")
@json_option
@click.pass_obj
def show(state: State, /, queue: str, limit: int, as_json: bool) -> None:
    """Show the dead letters of a queue, and why each is one."""
    found = _letters(state).show(queue, limit)
    if as_json:
        click.echo(json.dumps([letter._asdict() for letter in found]))
        return
    for letter in found:
        click.echo(f"{letter.time}  {letter.task}[{letter.task_id}] {letter.args} {letter.kwargs}")
        click.echo(f"    {letter.reason}: {letter.error or 'no error'} ({letter.worker})")
    if not found:
        click.echo(f"queue {queue} has no dead letters", err=True)


@dlq.command("requeue")
@click.argument("queue")
@click.argument("task_ids", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All of them.")
@json_option
@click.pass_obj
def requeue(state: State, /, queue: str, task_ids: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Send dead letters again, to where they were sent first: those of these tasks, or --all."""
    chosen = _chosen(task_ids, every)
    with counting(state, "Dead letters") as tell:
        count = _letters(state, tell).requeue(queue, chosen)
    answer({"requeued": count}, as_json, f"{counted(count, 'message')} sent again")


@dlq.command("purge")
@click.argument("queue")
@click.argument("task_ids", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def purge(state: State, /, queue: str, task_ids: tuple[str, ...], every: bool, force: bool, as_json: bool) -> None:
    """Remove dead letters: those of these tasks, or --all.  There is no undo."""
    chosen = _chosen(task_ids, every)
    if not force:
        what = "all dead letters" if chosen is None else counted(len(chosen), "dead letter")
        click.confirm(f"Remove {what} of queue {queue}?", abort=True)
    with counting(state, "Dead letters") as tell:
        count = _letters(state, tell).purge(queue, chosen)
    answer({"removed": count}, as_json, f"{counted(count, 'message')} removed")


def _chosen(task_ids: tuple[str, ...], every: bool) -> set[str] | None:
    """The ids, None for all of them."""
    if every == bool(task_ids):
        raise click.UsageError("name the ids of tasks, or say --all")
    return None if every else set(task_ids)
