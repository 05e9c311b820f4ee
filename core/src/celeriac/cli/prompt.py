"""A prompt at which the commands of a group are typed."""

from __future__ import annotations

import cmd
import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from celeriac.cli.state import State


class Prompt(cmd.Cmd):
    """Reads lines until ``exit`` or the end of the input; an error is told, and does not end it."""

    def __init__(self, prompt: str, names: Sequence[str], run: Callable[[Sequence[str]], None], state: State) -> None:
        super().__init__()
        self.prompt = prompt
        self._names = list(names)
        self._run = run
        self._state = state

    def onecmd(self, line: str) -> bool:
        try:
            words = shlex.split(line)
        except ValueError as error:
            click.echo(f"Error: {error}", err=True)
            return False
        if not words:
            return False
        if words[0] in {"exit", "quit", "EOF"}:
            return True
        if words[0] in {"help", "?"}:
            click.echo("  ".join([*self._names, "exit"]))
        elif words[0] not in self._names:
            click.echo(f"Error: there is no command {words[0]!r}; help lists them", err=True)
        else:
            self._call(words)
        return False

    def _call(self, words: Sequence[str]) -> None:
        try:
            self._run(words)
        except click.exceptions.Exit:
            return
        except click.ClickException as error:
            error.show()
        except Exception as error:
            if self._state.debug:
                raise
            self._state.explain(error)

    def completenames(self, text: str, *_: object) -> list[str]:
        return [name for name in self._names if name.startswith(text)]
