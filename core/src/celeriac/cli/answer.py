"""What a command answers: a line for people, or JSON for programs."""

from __future__ import annotations

import json
from typing import Any, Final

import click

#: The option of each command that prints data; its parameter is `as_json`.
json_option: Final = click.option("-j", "--json", "as_json", is_flag=True, help="Print JSON.")


def answer(found: Any, as_json: bool, text: str) -> None:
    """Print `found` as JSON, or `text`."""
    click.echo(json.dumps(found, default=str) if as_json else text)


def counted(count: int, noun: str) -> str:
    """So many of them: ``1 message``, ``2 messages``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
