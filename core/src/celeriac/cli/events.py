"""``celeriac events``."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from celeriac.cli.state import State


@click.command("events")
@click.option("-d", "--dump", is_flag=True, help="Write each event as a line.")
@click.option("-c", "--camera", help="Have this camera take pictures: the dotted name of a Polaroid class.")
@click.option(
    "-F", "--frequency", "--freq", type=float, default=1.0, show_default=True, help="Seconds between pictures."
)
@click.option("-r", "--maxrate", help="No more pictures than this: 10/s, 10/m, 10/h.")
@click.option("-l", "--loglevel", default="WARNING", show_default=True, help="DEBUG, INFO, WARNING, ERROR, CRITICAL.")
@click.option("-f", "--logfile", help="Log to this file.")
@click.option("--pidfile", help="Write the process's id to this file while it runs.")
@click.pass_obj
def events(
    state: State,
    /,
    dump: bool,
    camera: str | None,
    frequency: float,
    maxrate: str | None,
    loglevel: str,
    logfile: str | None,
    pidfile: str | None,
) -> None:
    """Watch the workers and their tasks: live in the terminal, as lines, or through a camera.

    Workers tell of tasks when they are started with -E, or told to by `control enable_events`.
    """
    signal.signal(signal.SIGTERM, _end)
    if dump:
        from celeriac.events.dumper import evdump

        evdump(state.app)
        return
    if camera is None and not sys.stdout.isatty():
        raise click.UsageError("the live view needs a terminal; use --dump, or --camera")
    from celeriac.events.snapshot import evcam

    if camera is None:
        camera = "celeriac.events.screen:Screen"
    try:
        evcam(camera, frequency, maxrate, loglevel.upper(), logfile, pidfile, app=state.app)
    except FileExistsError:
        raise click.UsageError(f"{pidfile} exists: another process runs, or has not ended well") from None


def _end(*_: Any) -> None:
    raise SystemExit(0)
