"""What the server does in one step: the Lua scripts, each known to it by its hash."""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files
from typing import Any, Final

Command = tuple[Any, ...]

_sources: Final[dict[str, str]] = {}


class Script:
    """One script of the directory ``lua``, where it is explained."""

    def __init__(self, name: str) -> None:
        source = files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
        self.sha = sha1(source.encode(), usedforsecurity=False).hexdigest()
        _sources[self.sha] = source

    def __call__(self, keys: list[str], *arguments: Any) -> Command:
        """The command that runs it."""
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)


def in_full(command: Command) -> Command:
    """The same command with the script itself, for a server that does not have it."""
    return ("EVAL", _sources[command[1]], *command[2:])
