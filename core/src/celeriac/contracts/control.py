"""Commands that workers obey: what ``celeriac control`` and ``celeriac inspect`` send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ControlCommand:
    """One command.

    `handler` is called as ``handler(state, **arguments)`` in the thread of the worker's loop and must not block; state
    has `app`, `hostname` and `consumer`.  What it returns is the answer, by convention a map with ``"ok"`` or
    ``"error"``, of types that the serializer of the app can write; what it raises becomes an error of that form.

    The rest is for the command line: `args` are names and types of positional arguments, `variadic` names the one that
    takes all that are left, `signature` and `help` are shown to people, `default_timeout` is in seconds, and a command
    that is not `visible` is not listed.
    """

    name: str
    handler: Callable[..., Any]
    type: Literal["control", "inspect"] = "control"
    alias: str | None = None
    args: Sequence[tuple[str, Callable[[str], Any]]] = ()
    variadic: str | None = None
    signature: str | None = None
    help: str = ""
    default_timeout: float = 1.0
    visible: bool = True


@dataclass(frozen=True, slots=True)
class CommandGuard:
    """What marks the commands that this process sends, and judges those that reach its worker.

    `mark` is called with the body of each command before it is encoded, and adds to it; receivers that do not know what
    was added pass over it.  `check` is called with the body of each command that could be read, whatever it is, the
    content type that it came in, and the bytes that it was read from; it returns why it is refused, or None.  Both in
    any thread; neither may block.
    """

    name: str
    mark: Callable[[dict[str, Any]], None]
    check: Callable[[Any, str, bytes], str | None]
