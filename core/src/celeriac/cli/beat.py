"""``celeriac beat``, and the schedule of a beat that runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import click

from celeriac import signals
from celeriac.cli import completing
from celeriac.cli.answer import answer, json_option
from celeriac.cli.daemon import DAEMON_SECTION, Daemon, daemon_options
from celeriac.cli.help import Commands, Sections
from celeriac.cli.log_options import logformat_option, loglevel_option
from celeriac.cli.table import print_table
from celeriac.exceptions import CeleryError
from celeriac.protocol import wall
from celeriac.protocol.origin import nodename

if TYPE_CHECKING:
    from celeriac.beat.stored import Stored, StoredSchedule
    from celeriac.cli.state import State


class BeatCommand(Commands, Sections):
    """Its options by what they are about."""

    sections: ClassVar = {
        "Beat": (
            *("scheduler", "schedule", "max_interval", "loglevel", "logfile", "logformat", "health"),
            *("enable_remote_control", "hostname"),
        ),
        **DAEMON_SECTION,
    }


@click.group("beat", cls=BeatCommand, invoke_without_command=True)
@click.option("-s", "--schedule", metavar="FILE", help="The file of the persistent scheduler.")
@click.option(
    "-S",
    "--scheduler",
    metavar="NAME",
    shell_complete=completing.drivers("scheduler"),
    help="The scheduler: persistent, store, or module:Class.",
)
@click.option(
    "--max-interval", type=click.FloatRange(0), metavar="SECONDS", help="The longest sleep between two looks."
)
@click.option(
    "--enable-remote-control/--no-enable-remote-control", default=None, help="Answer ping (beat_enable_remote_control)."
)
@click.option("-n", "--hostname", help="The node name for remote control.")
@loglevel_option
@click.option("-f", "--logfile", help="Log to this file.")
@logformat_option
@click.option("--health", metavar="ADDRESS", help="Serve /livez, /readyz and /status at HOST:PORT or unix:PATH.")
@daemon_options
@click.pass_context
def beat(context: click.Context, /, **options: Any) -> None:
    """Send periodic tasks."""
    if context.invoked_subcommand is not None:
        return
    state: State = context.obj
    app = state.app
    state.configure(context.command, options)
    if options["enable_remote_control"] is not None:
        app.conf.beat_enable_remote_control = options["enable_remote_control"]
    if options["logformat"] == "json":
        app.conf.worker_log_format = "json"
    with Daemon.from_options(options, nodename(options["hostname"] or "beat")).running() as settle:
        app.log.setup(options["loglevel"], options["logfile"])
        program = app.Beat(
            max_interval=options["max_interval"],
            loglevel=options["loglevel"],
            logfile=options["logfile"],
            schedule=options["schedule"],
            scheduler=options["scheduler"],
            quiet=state.quiet,
            hostname=options["hostname"],
            health=options["health"],
        )
        if not state.quiet:
            click.echo(program.startup_info())
        # Not before the scheduler is made: what is wrong with it is told to who has started this.
        signals.beat_init.connect(lambda **_: settle(), weak=False, dispatch_uid="celeriac.cli.beat")
        program.run()


beat.takes_plugin_options = True  # type: ignore[attr-defined]  # read by LazyCommands


@beat.group("schedule", cls=Commands)
def schedule() -> None:
    """See and change the schedule while beat runs (scheduler: store)."""


@schedule.command("list")
@json_option
@click.pass_obj
def list_entries(state: State, /, as_json: bool) -> None:
    """Show the entries, and when each ran last."""
    stored = _stored(state)
    known = stored.all()
    states = stored.states(known)
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            **{field: one.fields.get(field) for field in ("task", "schedule", "args", "kwargs", "enabled")},
            "source": one.source,
            "last_run_at": states[name].last_run_at.isoformat() if name in states else None,
            "total_run_count": states[name].total_run_count if name in states else 0,
        }
        for name, one in sorted(known.items())
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo("no entries: those of the configuration are here once `celeriac beat -S store` has run", err=True)
        return
    print_table(
        state,
        ("name", "task", "schedule", "state", "last run", "runs"),
        [
            (
                row["name"],
                row["task"],
                _shown(stored, row["name"], known),
                "on" if row["enabled"] else "paused",
                (row["last_run_at"] or "never").partition(".")[0],
                str(row["total_run_count"]),
            )
            for row in rows
        ],
    )


def _shown(stored: StoredSchedule, name: str, known: dict[str, Stored]) -> str:
    """The schedule of an entry as people write it; what cannot be read is shown as it is, and listed all the same."""
    try:
        return repr(stored.entry(name, known[name]).schedule).strip("<>")
    except (CeleryError, ValueError, TypeError, KeyError):
        return json.dumps(known[name].fields.get("schedule"))


@schedule.command("add")
@click.argument("name")
@click.argument("task")
@click.option("--every", type=float, metavar="SECONDS", help="An interval.")
@click.option("--crontab", metavar="LINE", help='A line of a crontab, as "0 9 * * mon-fri".')
@click.option("--at", metavar="TIME", help="Once, at a moment (ISO 8601).")
@click.option("--tz", metavar="ZONE", help="The time zone of --crontab and --at.")
@click.option("-a", "--args", "arguments", default="[]", metavar="JSON", help="Positional arguments: a list.")
@click.option("-k", "--kwargs", default="{}", metavar="JSON", help="Keyword arguments: a map.")
@click.option("--options", default="{}", metavar="JSON", help='Options of the call, as {"queue": "slow"}.')
@click.option(
    "--missed",
    type=click.Choice(["once", "skip", "all"]),
    default="once",
    show_default=True,
    help="What of the runs that came due while no beat ran: one for all, none, each.",
)
@click.option("--deadline", type=click.FloatRange(0), metavar="SECONDS", help="A run may be so late.")
@click.option(
    "--jitter", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Put each run off by up to so much."
)
@click.option("--disabled", is_flag=True, help="Paused until it is resumed.")
@json_option
@click.pass_obj
def add(state: State, /, name: str, task: str, as_json: bool, **options: Any) -> None:
    """Add an entry, or replace the one of that name."""
    schedule = _schedule_of(options)
    schedule.app = state.app
    if schedule.next_after(wall.now()) is None:
        raise click.UsageError(f"this never comes: {repr(schedule).strip('<>')}")
    entry = {
        "task": task,
        "schedule": schedule,
        "args": _parsed("--args", options["arguments"], list),
        "kwargs": _parsed("--kwargs", options["kwargs"], dict),
        "options": _parsed("--options", options["options"], dict),
        **{field: options[field] for field in ("missed", "deadline", "jitter")},
        "enabled": not options["disabled"],
    }
    _stored(state).put(name, entry)
    answer({"added": name}, as_json, f"{name} added")


@schedule.command("remove")
@click.argument("name")
@json_option
@click.pass_obj
def remove(state: State, /, name: str, as_json: bool) -> None:
    """Remove an entry; one of the configuration comes back when beat starts."""
    _demand(_stored(state).remove(name), name)
    answer({"removed": name}, as_json, f"{name} removed")


@schedule.command("pause")
@click.argument("name")
@json_option
@click.pass_obj
def pause(state: State, /, name: str, as_json: bool) -> None:
    """Do not send an entry until it is resumed."""
    _demand(_stored(state).set_enabled(name, False), name)
    answer({"paused": name}, as_json, f"{name} paused")


@schedule.command("resume")
@click.argument("name")
@json_option
@click.pass_obj
def resume(state: State, /, name: str, as_json: bool) -> None:
    """Have a paused entry go on."""
    _demand(_stored(state).set_enabled(name, True), name)
    answer({"resumed": name}, as_json, f"{name} resumed")


@schedule.command("run-now")
@click.argument("name")
@json_option
@click.pass_obj
def run_now(state: State, /, name: str, as_json: bool) -> None:
    """Send the task of an entry once, now; when it is due does not change."""
    from celeriac.beat.scheduler import Scheduler

    stored = _stored(state)
    known = stored.read([name]).get(name)
    if known is None:
        _demand(False, name)
        return
    result = Scheduler(state.app, lazy=True).apply_async(stored.entry(name, known), advance=False)
    answer({"sent": name, "id": result.id}, as_json, result.id)


def _stored(state: State) -> StoredSchedule:
    from celeriac.beat.stored import StoredSchedule

    return StoredSchedule(state.app)


def _demand(found: bool, name: str) -> None:
    if not found:
        raise click.ClickException(f"there is no entry {name!r}; see: celeriac beat schedule list")


def _schedule_of(options: dict[str, Any]) -> Any:
    from celeriac.schedules import crontab, once
    from celeriac.schedules import schedule as interval

    given = [name for name in ("every", "crontab", "at") if options[name] is not None]
    if len(given) != 1:
        raise click.UsageError("give one of --every, --crontab and --at")
    try:
        if options["every"] is not None:
            if not options["every"] > 0:
                raise ValueError(f"an interval is more than 0 seconds, not {options['every']:g}")
            return interval(options["every"])
        if options["crontab"] is not None:
            return crontab.from_string(options["crontab"], tz=options["tz"])
        return once(options["at"], tz=options["tz"])
    except ValueError as error:
        raise click.UsageError(f"--{given[0]}: {error}") from None


def _parsed(option: str, text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"{option} is no JSON: {error}") from None
    if not isinstance(value, kind):
        raise click.UsageError(f"{option} must be a {'list' if kind is list else 'map'}")
    return value
