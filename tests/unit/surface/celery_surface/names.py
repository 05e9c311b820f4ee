"""The public names of Celery, from the reference list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[3]
LIST = TESTS / "data" / "celery-surface.json"


@dataclass(frozen=True, slots=True)
class Name:
    """One public name.

    `path` is what a test writes in its marker: ``app.base.Celery.send_task``, ``signals.task_prerun``,
    ``control.revoke``, ``settings.task_acks_late``, ``cli.worker``, ``cli.worker.--autoscale``.  `owner` is what it
    is a part of, a class or a command.  `takes` is what Celery's takes: a signature, the arguments of a signal, the
    spellings of an option, the default of a setting.
    """

    path: str
    family: str
    owner: str = ""
    member: str = ""
    takes: Any = None


#: What introspection gives of a class that has no constructor of its own.
_NO_CONSTRUCTOR = "(self, /, *args, **kwargs)"


@cache
def names() -> dict[str, Name]:
    """All public names, by path."""
    surface = json.loads(LIST.read_text())
    found: list[Name] = []
    for path, described in surface["classes"].items():
        owner = path.removeprefix("celery.")
        made_with = described["init"]
        found.append(Name(owner, "class", takes=None if made_with == _NO_CONSTRUCTOR else made_with))
        found += [
            Name(f"{owner}.{member}", "member", owner, member, _signature(kind, signature))
            for member, kind, signature in described["members"]
        ]
    found += [
        Name(f"settings.{name}", "setting", member=name, takes=default) for name, _, default in surface["settings"]
    ]
    found += [
        Name(f"signals.{name}", "signal", member=name, takes=set(args)) for name, args in surface["signals"].items()
    ]
    for family, section in (("exception", "exceptions"), ("state", "states")):
        found += [Name(f"{section}.{name}", family, member=name) for name in surface[section]]
    found += [Name(f"control.{name}", "control", member=name) for name in surface["control_commands"]]
    found += _command_line(surface["cli"])
    for family in ("backends", "transports", "pools"):
        found += [Name(f"{family}.{name}", family, member=name) for name in surface[family]]
    return {name.path: name for name in found}


#: What a descriptor is called with says nothing about what may be written.
_CALLED = {"function", "classmethod", "staticmethod"}


def _signature(kind: str, signature: str) -> str | None:
    if kind not in _CALLED:
        return None
    # The list gives class methods without their first argument.
    return signature if kind == "function" else signature.replace("(", "(cls, ", 1).replace(", )", ")")


def _command_line(commands: dict[str, list[tuple[str, str]]]) -> list[Name]:
    found = []
    for command, parameters in commands.items():
        owner = f"cli.{command}".rstrip(".")
        found.append(Name(owner, "command", member=command))
        for kind, spelled in parameters:
            if kind == "option":
                spellings = tuple(spelled.split("/"))
                longest = next((one for one in spellings if one.startswith("--")), spellings[0])
                found.append(Name(f"{owner}.{longest}", "option", owner, command, spellings))
            else:
                found.append(Name(f"{owner}.{spelled}", "argument", owner, command, spelled))
    return found
