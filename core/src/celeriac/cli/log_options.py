"""Options about the log that several commands have."""

from __future__ import annotations

from typing import Final

import click

from celeriac.cli import completing

#: ``--loglevel``.
loglevel_option: Final = click.option(
    "-l",
    "--loglevel",
    default="WARNING",
    show_default=True,
    shell_complete=completing.levels,
    help="DEBUG, INFO, WARNING, ERROR, CRITICAL.",
)
#: ``--logformat``.
logformat_option: Final = click.option(
    "--logformat", type=click.Choice(["text", "json"]), help="Lines for people, or a JSON object per line."
)
