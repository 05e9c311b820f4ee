"""``celeriac call``, ``result``, ``purge`` and ``report``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from celeriac.cli.answer import answer, counted, json_option
from celeriac.cli.progress import waiting
from celeriac.plugin.spelling import did_you_mean

if TYPE_CHECKING:
    from celeriac.cli.state import State


@click.command("call")
@click.argument("name")
@click.option("-a", "--args", default="[]", help="Positional arguments, as a JSON list.")
@click.option("-k", "--kwargs", default="{}", help="Keyword arguments, as a JSON map.")
@click.option("--eta", help="Not before this time (ISO 8601).")
@click.option("--countdown", type=float, help="Not before this many seconds from now.")
@click.option("--expires", help="Not after this many seconds, or this time (ISO 8601).")
@click.option("--serializer", help="The serializer.")
@click.option("--queue", help="The queue.")
@click.option("--exchange", help="The exchange.")
@click.option("--routing-key", help="The routing key.")
@json_option
@click.pass_obj
def call(state: State, /, name: str, args: str, kwargs: str, as_json: bool, **options: Any) -> None:
    """Send a task by name, and print its id."""
    expires = options.get("expires")
    if expires and expires.replace(".", "", 1).isdigit():
        options["expires"] = float(expires)
    given = {key: value for key, value in options.items() if value is not None}
    sent = state.app.send_task(name, _json(args, list, "--args"), _json(kwargs, dict, "--kwargs"), **given)
    answer({"id": sent.id}, as_json, sent.id)
    # Workers may know tasks that this process does not, so it is sent all the same.
    if name not in state.app.tasks and (near := did_you_mean(name, list(state.app.tasks))):
        click.echo(f"Sent, although the app here has no task {name!r}.{near}", err=True)


def _json(text: str, kind: type, option: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint=option) from None
    if not isinstance(value, kind):
        raise click.BadParameter(f"must be a JSON {'list' if kind is list else 'map'}", param_hint=option)
    return value


@click.command("result")
@click.argument("task_id")
@click.option("-t", "--task", help="The task's name, where it has a result store of its own.")
@click.option("--traceback", is_flag=True, help="Show the traceback instead.")
@click.option("--timeout", type=float, help="Seconds to wait; for ever unless given.")
@json_option
@click.pass_obj
def result(
    state: State, /, task_id: str, task: str | None, traceback: bool, timeout: float | None, as_json: bool
) -> None:
    """Wait for the result of a task, and print it."""
    found = state.app.tasks[task].AsyncResult(task_id) if task else state.app.AsyncResult(task_id)
    with waiting(state, f"waiting for {task_id}"):
        value = found.get(timeout=timeout, propagate=False)
    if as_json:
        told = repr(value) if isinstance(value, BaseException) else value
        data = {"id": task_id, "state": found.state, "result": told, "traceback": found.traceback}
        click.echo(json.dumps(data, default=repr))
        return
    click.echo(found.traceback if traceback else repr(value) if isinstance(value, BaseException) else value)


@click.command("purge")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option("-Q", "--queues", help="These queues only, separated by commas.")
@click.option("-X", "--exclude-queues", help="All but these.")
@json_option
@click.pass_obj
def purge(state: State, /, force: bool, queues: str | None, exclude_queues: str | None, as_json: bool) -> None:
    """Remove all waiting messages from the queues.  There is no undo."""
    from celeriac.worker.purging import discard_messages  # loads nothing more of the worker

    app = state.app
    app.amqp.queues.select(queues)
    app.amqp.queues.deselect(exclude_queues)
    chosen = app.amqp.queues.consume_from
    if not chosen:
        raise click.UsageError("no queue is left: check --queues and --exclude-queues")
    if not force:
        click.confirm(f"Remove all messages from {', '.join(chosen)}?", abort=True)
    count = discard_messages(app, chosen.values())
    answer({"removed": count}, as_json, f"{counted(count, 'message')} removed")


@click.command("report")
@json_option
@click.pass_obj
def report(state: State, as_json: bool) -> None:
    """Describe this installation, for bug reports; passwords are masked."""
    app = state.app
    if as_json:
        click.echo(json.dumps({"facts": app.plugins.report(), "settings": app.conf.shown()}, default=repr))
        return
    for name, value in app.plugins.report().items():
        click.echo(f"{name}: {value}")
    click.echo("\nsettings")
    for name, value in sorted(app.conf.shown().items()):
        click.echo(f"  {name}: {value!r}")
