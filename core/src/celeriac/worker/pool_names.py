"""Names of pools that are no plugin's: ``custom``, and classes by where they are."""

from __future__ import annotations

import os
from typing import Any, Final

from celeriac.exceptions import ImproperlyConfigured

#: Names the class of the pool ``custom``.
CUSTOM: Final = "CELERY_CUSTOM_WORKER_POOL"


def pool_named(name: Any) -> Any:
    """What the plugins are asked for: a name of theirs, ``package.module:Class``, or a class.

    Raises `ImproperlyConfigured` for ``custom`` where nobody says which, and for pools that there are no more.
    """
    if name == "custom":
        name = os.environ.get(CUSTOM)
        if not name:
            raise ImproperlyConfigured(
                f"the pool 'custom' is the class that the variable {CUSTOM} names: package.module:Class"
            )
    if isinstance(name, str) and "." in name and ":" not in name:
        module, _, attribute = name.rpartition(".")
        return f"{module}:{attribute}"
    return name
