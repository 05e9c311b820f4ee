"""``celeriac events``."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import click

from celeriac.cli.daemon import DAEMON_SECTION, Daemon, daemon_options
from celeriac.cli.help import Sections
from celeriac.cli.log_options import loglevel_option
from celeriac.protocol.origin import nodename

if TYPE_CHECKING:
    from celeriac.cli.state import State


class EventsCommand(Sections):
    """Its options by what they are about."""

    sections: ClassVar = {
        "What is shown": ("dump", "as_json", "camera", "frequency", "maxrate"),
        "Logs": ("loglevel", "logfile"),
        **DAEMON_SECTION,
    }


@click.command("events", cls=EventsCommand)
@click.option("-d", "--dump", is_flag=True, help="Write each event as a line.")
@click.option("-j", "--json", "as_json", is_flag=True, help="With --dump: each event as a JSON object.")
@click.option("-c", "--camera", help="Have this camera take pictures: the dotted name of a Polaroid class.")
@click.option(
    "-F", "--frequency", "--freq", type=float, default=1.0, show_default=True, help="Seconds between pictures."
)
@click.option("-r", "--maxrate", help="No more pictures than this: 10/s, 10/m, 10/h.")
@loglevel_option
@click.option("-f", "--logfile", help="Log to this file.")
@daemon_options
@click.pass_obj
def events(
    state: State,
    /,
    dump: bool,
    as_json: bool,
    camera: str | None,
    frequency: float,
    maxrate: str | None,
    loglevel: str,
    logfile: str | None,
    **options: Any,
) -> None:
    """Watch the workers and their tasks: live in the terminal, as lines, or through a camera.

    Workers tell of tasks when they are started with -E, or told to by `control enable_events`.  In the live view, keys
    choose a task, show what is known of it, revoke it or limit its rate; ? shows them all.
    """
    signal.signal(signal.SIGTERM, _end)
    daemon = Daemon.from_options(options, nodename("events"))
    if daemon.detach and camera is None:
        raise click.UsageError("in the background nobody sees events: --detach needs a --camera")
    if as_json and not dump:
        raise click.UsageError("--json is about --dump")
    if dump:
        from celeriac.events.dumper import evdump

        with daemon.running():
            evdump(state.app, as_json=as_json)
        return
    if camera is None and not sys.stdout.isatty():
        raise click.UsageError("the live view needs a terminal; use --dump, or --camera")
    from celeriac.app.loggers import level_of
    from celeriac.app.names import symbol
    from celeriac.events.snapshot import evcam

    level = level_of(loglevel)
    if camera is None:
        camera = f"celeriac.events.screen:{'PlainScreen' if state.no_color else 'Screen'}"
        level = level if logfile else 0  # the view has a line for warnings
    if logfile:
        logfile = os.path.abspath(logfile)
    with daemon.running() as settle:
        try:
            symbol(camera)  # told to who has started this
        except (ImportError, AttributeError) as error:
            raise click.BadParameter(f"there is no camera {camera!r}: {error}", param_hint="--camera") from None
        settle()
        evcam(camera, frequency, maxrate, level, logfile, app=state.app)


def _end(*_: Any) -> None:
    raise SystemExit(0)
