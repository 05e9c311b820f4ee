"""Names by which the parts of the plugin know each other without importing."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

#: The task in which workers run tasks of ``django.tasks``.
RUN_TASK: Final = "celeriac_django.run_task"
#: Characters of a name that is kept as it is.
_LONGEST: Final = 200


def fitted(name: str) -> str:
    """A name as a column of 255 characters has it: itself, or for one that no database keeps as it is, a digest."""
    if len(name) <= _LONGEST and name.isprintable() and name == name.strip():
        return name
    return f"sha256:{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"
