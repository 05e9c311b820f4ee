"""What ``--help`` of each command says: read the difference when a golden file changes."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from celeriac.cli.main import celeriac_command
from celeriac.cli.state import State

GOLDEN = Path(__file__).parent / "golden" / "help"


def names():
    context = click.Context(celeriac_command, obj=State())
    commands = {name: celeriac_command.get_command(context, name) for name in celeriac_command.list_commands(context)}
    return [name for name, command in commands.items() if not command.hidden]


def shown(command, context):
    """The help of a command and of all commands below it."""
    yield f"$ {context.command_path} --help\n{command.get_help(context)}\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            yield from shown(below, click.Context(below, info_name=name, parent=context))


@pytest.fixture
def root(monkeypatch):
    """The context of the program, as wide as a terminal of old."""
    return click.Context(
        celeriac_command,
        info_name="celeriac",
        obj=State(),
        terminal_width=80,
        max_content_width=80,
        help_option_names=["-h", "--help"],
    )


def test_the_program_itself(root, golden):
    golden(GOLDEN / "celeriac.txt", celeriac_command.get_help(root) + "\n")


@pytest.mark.parametrize("name", names())
def test_each_command_and_what_is_below_it(root, golden, name):
    command = celeriac_command.get_command(root, name)
    text = "\n".join(shown(command, click.Context(command, info_name=name, parent=root)))
    golden(GOLDEN / f"{name}.txt", text)
    # None is cut off, and each says where the others are that all commands take
    assert not re.search(r"\w\.\.\.", text)
    assert text.count("Options for all commands, such as -A and --broker: celeriac --help") == text.count("$ celeriac")
