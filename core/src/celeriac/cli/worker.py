"""``celeriac worker``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

import click

from celeriac.cli import completing
from celeriac.cli.daemon import DAEMON_SECTION, Daemon, daemon_options, start_anew
from celeriac.cli.help import Sections
from celeriac.cli.log_options import logformat_option, loglevel_option
from celeriac.platforms import check_privileges
from celeriac.protocol.origin import node_named

if TYPE_CHECKING:
    from celeriac.cli.state import State


class WorkerCommand(Sections):
    """Its options by what they are about."""

    sections: ClassVar = {
        "The worker": (
            *("hostname", "loglevel", "logfile", "logformat", "include", "statedb", "health", "optimization"),
        ),
        "Processes and limits": (
            *("concurrency", "pool", "autoscale", "pool_start_method", "max_tasks_per_child", "max_memory_per_child"),
            *("time_limit", "soft_time_limit"),
        ),
        "Queues": ("queues", "exclude_queues", "purge", "prefetch_multiplier", "disable_prefetch"),
        "Events and other workers": (
            *("task_events", "without_gossip", "without_mingle", "without_heartbeat", "heartbeat_interval"),
        ),
        "Periodic tasks": ("beat", "schedule_filename", "scheduler"),
        **DAEMON_SECTION,
    }


@click.command("worker", cls=WorkerCommand)
@click.option("-n", "--hostname", help="The node name; %h is the host, %n its first part, %d its domain.")
@click.option("-c", "--concurrency", help="How many tasks run at once, or 'auto'.")
@click.option("--autoscale", metavar="MAX,MIN", help="Run as many tasks at once as there is work for, within bounds.")
@click.option("-P", "--pool", shell_complete=completing.drivers("pool"), help="The pool, by its plugin's name.")
@click.option("-Q", "--queues", help="Listen to these queues, separated by commas.")
@click.option("-X", "--exclude-queues", help="Listen to all but these.")
@click.option("-I", "--include", help="More modules to import, separated by commas.")
@loglevel_option
@click.option("-f", "--logfile", help="Log to this file; %n is the name of the node, %h its host.")
@logformat_option
@click.option("--prefetch-multiplier", type=click.IntRange(0), help="Messages claimed ahead per process.")
@click.option("--max-tasks-per-child", type=click.IntRange(0), help="Replace a child that has run this many tasks.")
@click.option("--max-memory-per-child", type=click.IntRange(0), help="Replace a child that has used this many KiB.")
@click.option("--time-limit", type=click.FloatRange(0), help="Seconds after which a task's process is killed.")
@click.option("--soft-time-limit", type=click.FloatRange(0), help="Seconds after which a task is interrupted.")
@click.option("--pool-start-method", type=click.Choice(["fork", "spawn"]), help="How a pool starts its processes.")
@click.option("--disable-prefetch", is_flag=True, help="Claim a message only when a process is free to run it.")
@click.option("--purge", "--discard", "purge", is_flag=True, help="Remove all messages from the queues first.")
@click.option("-S", "--statedb", metavar="FILE", help="Keep revoked tasks in this file, for after a restart.")
@click.option("-O", "--optimization", help="Accepted for compatibility; hand-over is always fair.")
@click.option("-B", "--beat", is_flag=True, help="Send periodic tasks as well; for one worker only.")
@click.option("-s", "--schedule-filename", "--schedule", metavar="FILE", help="The file of the persistent scheduler.")
@click.option(
    "--scheduler", metavar="NAME", shell_complete=completing.drivers("scheduler"), help="The scheduler of --beat."
)
@click.option("-E", "--task-events", "--events", is_flag=True, help="Send events about tasks.")
@click.option("--without-gossip", is_flag=True, help="Do not listen to the events of other workers.")
@click.option("--without-mingle", is_flag=True, help="Do not ask other workers what they know at the start.")
@click.option("--without-heartbeat", is_flag=True, help="Send no heartbeats.")
@click.option("--heartbeat-interval", type=click.FloatRange(0), help="Seconds between two heartbeats.")
@click.option("--health", metavar="ADDRESS", help="Serve /livez, /readyz and /status at HOST:PORT or unix:PATH.")
@daemon_options
@click.pass_context
def worker(context: click.Context, /, **options: Any) -> None:
    """Run a worker."""
    state: State = context.obj
    from celeriac.worker.banner import banner
    from celeriac.worker.boot import WorkController

    options.pop("optimization")
    if options.pop("disable_prefetch"):
        state.app.conf.worker_disable_prefetch = True
    app = state.app
    state.configure(context.command, options)
    if options.pop("logformat") == "json":
        app.conf.worker_log_format = "json"
    node = options["hostname"] = node_named(options["hostname"])
    with Daemon.from_options(options, node).running() as settle, as_they_were() as printed:
        app.log.setup(
            options["loglevel"],
            options.pop("logfile"),
            redirect_stdouts=app.conf.worker_redirect_stdouts,
            redirect_level=app.conf.worker_redirect_stdouts_level,
            hostname=node,
        )
        check_privileges({*app.conf.accept_content, *(app.conf.result_accept_content or ())})
        options["include"] = [name.strip() for name in (options["include"] or "").split(",") if name.strip()]
        controller = WorkController(app, **options)
        if not state.quiet:
            click.echo(banner(controller), file=printed)
        settle()
        code = controller.start()
    if controller.restart_requested:
        start_anew()
    context.exit(code)


@contextmanager
def as_they_were() -> Iterator[TextIO]:
    """Put stdout and stderr back at the end, for the error that may have to be told; gives the stdout there was."""
    stdout, stderr = sys.stdout, sys.stderr
    try:
        yield stdout
    finally:
        sys.stdout, sys.stderr = stdout, stderr


worker.takes_plugin_options = True  # type: ignore[attr-defined]  # read by LazyCommands
