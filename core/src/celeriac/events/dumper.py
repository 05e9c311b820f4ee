"""Events as lines of text."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

from kombu.utils.functional import LRUCache

from celeriac.app.current import get_current_app
from celeriac.events.watching import watch

if TYPE_CHECKING:
    from celeriac.app.base import Celery

__all__ = ["Dumper", "evdump"]

#: Names of tasks are told once for each; of so many they are remembered.
_NAMES: Final = 4095


class Dumper:
    """Writes one line per event."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self._names: LRUCache = LRUCache(limit=_NAMES)

    def say(self, message: str) -> None:
        """Write a line, at once."""
        print(printable(message), file=self.out, flush=True)

    def on_event(self, event: dict[str, Any]) -> None:
        """Write one event."""
        fields = dict(event)
        moment = datetime.fromtimestamp(fields.pop("timestamp", 0) or 0, UTC)
        kind, hostname = fields.pop("type").lower(), fields.pop("hostname", "")
        if kind.startswith("task-"):
            self.say(f"{hostname} [{moment}] {self._task_line(kind, fields)}")
        else:
            self.say(f"{hostname} [{moment}] {kind}: {_listed(fields)}")

    def _task_line(self, kind: str, fields: dict[str, Any]) -> str:
        uuid = fields.pop("uuid", None)
        if kind in {"task-sent", "task-received"} and uuid is not None:
            arguments = f"args={fields.pop('args', '')} kwargs={fields.pop('kwargs', '')}"
            task = self._names[uuid] = f"{fields.pop('name', None)}({uuid}) {arguments}"
        else:
            task = self._names.get(uuid, "")
        return f"{kind}: {task} {_listed(fields, uuid=uuid)}"


def _listed(fields: dict[str, Any], **more: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted({**fields, **more}.items()))


def printable(text: str) -> str:
    """With what a terminal would obey written out: events come from whoever may write to the broker."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


class JsonDumper(Dumper):
    """Writes one JSON object per event, and nothing else there."""

    def on_event(self, event: dict[str, Any]) -> None:
        print(json.dumps(event, default=str), file=self.out, flush=True)

    def say(self, message: str) -> None:
        sys.stderr.write(f"{printable(message)}\n")


def evdump(app: Celery | None = None, out: TextIO | None = None, as_json: bool = False) -> None:
    """Write all events of the cluster as they come; runs until interrupted."""
    running: Celery = app or get_current_app()
    dumper = (JsonDumper if as_json else Dumper)(out=out)
    dumper.say("-> evdump: starting capture...")
    watch(running, {"*": dumper.on_event}, _said(dumper))


def _said(dumper: Dumper) -> Callable[[BaseException], None]:
    return lambda error: dumper.say(f"-> Connection lost: {error}. Trying again...")
