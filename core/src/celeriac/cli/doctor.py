"""``celeriac doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click

from celeriac.cli.answer import json_option

if TYPE_CHECKING:
    from celeriac.cli.state import State

_SIGNS: Final = {"ok": ("ok", "green"), "warning": ("WARN", "yellow"), "fault": ("FAIL", "red")}


@click.command("doctor")
@click.option("-t", "--timeout", type=float, default=2.0, show_default=True, help="Seconds to wait for workers.")
@json_option
@click.pass_obj
def doctor(state: State, /, timeout: float, as_json: bool) -> int:
    """Check the configuration, plugins, broker, result store, workers and clocks, and say what to do.

    The exit code is 1 where something is at fault.  It sends a question to the workers, and stores and forgets one
    result; it changes nothing else.
    """
    from celeriac.cli.examination import examine
    from celeriac.cli.progress import Progress

    found, progress = [], Progress(state)
    for finding in examine(state.app, timeout, lambda subject: progress.say(f"looking at: {subject}")):
        found.append(finding)
        if not as_json:
            progress.clear()
            sign, colour = _SIGNS[finding.verdict]
            click.echo(f"{click.style(f'{sign:4}', fg=colour)}  {finding.subject}: {finding.text}")
            if finding.remedy:
                click.echo(f"      -> {finding.remedy}")
    progress.clear()
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in found]))
    return int(any(finding.verdict == "fault" for finding in found))
