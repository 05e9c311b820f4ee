"""Tables: drawn by rich where that is installed and a person looks, else aligned text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from celeriac.cli.state import State


def print_table(state: State, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print `rows` under `titles`; columns of numbers are aligned on the right."""
    right = [_is_numeric([row[column] for row in rows]) for column in range(len(titles))]
    if not (sys.stdout.isatty() and not state.no_color and _print_rich(titles, rows, right)):
        for line in plain(titles, rows, right):
            click.echo(line)


def plain(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """The lines of a table in plain text."""
    whole = [titles, *rows]
    widths = [max(len(row[column]) for row in whole) for column in range(len(titles))]
    return [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in whole
    ]


def _print_rich(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> bool:
    """Whether rich is there, and has drawn it."""
    try:
        console, table, text = (import_module(f"rich.{name}") for name in ("console", "table", "text"))
    except ImportError:
        return False
    drawn = table.Table(box=None, header_style="bold", pad_edge=False)
    for title, is_right in zip(titles, right, strict=True):
        drawn.add_column(title, justify="right" if is_right else "left", overflow="fold")
    for row in rows:
        # As text: what a queue or a task is called must not be taken for rich's markup.
        drawn.add_row(*map(text.Text, row))
    console.Console(highlight=False).print(drawn)
    return True


def _is_numeric(cells: Sequence[str]) -> bool:
    return bool(cells) and all(cell == "-" or cell[:1].isdigit() for cell in cells)
