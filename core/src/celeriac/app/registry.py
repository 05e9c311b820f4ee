"""The tasks that an app knows, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from celeriac.exceptions import NotRegistered


class TaskRegistry(dict[str, Any]):
    """Task name to task.  A missing name is an error that names the nearest one."""

    NotRegistered = NotRegistered

    def __missing__(self, key: str) -> Any:
        raise NotRegistered(self.explain_missing(key))

    def explain_missing(self, key: object) -> str:
        """What to tell somebody who asked for a task that is not here."""
        near = difflib.get_close_matches(str(key), self, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return (
            f"task '{key}' is not registered in this process.{hint} The module that defines it must be imported: name "
            "it in the setting 'imports' (or 'include'), or call app.autodiscover_tasks([package])."
        )

    def register(self, task: Any) -> None:
        """Add a task, or a class of one, under its name."""
        task = task() if isinstance(task, type) else task
        if not task.name:
            raise ValueError(f"{task!r} has no name; give it one: name = 'package.task'")
        self[task.name] = task

    def unregister(self, name: Any) -> None:
        """Remove a task by name or by itself."""
        try:
            self.pop(getattr(name, "name", name))
        except KeyError:
            raise NotRegistered(self.explain_missing(name)) from None

    def regular(self) -> Iterator[tuple[str, Any]]:
        """Tasks that run when called, not when a clock says so."""
        return self.filter_types("regular")

    def periodic(self) -> Iterator[tuple[str, Any]]:
        """Tasks of the old periodic kind."""
        return self.filter_types("periodic")

    def filter_types(self, kind: str) -> Iterator[tuple[str, Any]]:
        """Tasks whose ``type`` is `kind`."""
        return ((name, task) for name, task in self.items() if getattr(task, "type", "regular") == kind)
