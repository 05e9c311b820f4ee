"""Which apps use the embedded file because nothing else is configured."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from celeriac_sqlite.place import embedded_file, url_of

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("celeriac.sqlite")

_apps: Final[WeakSet[Any]] = WeakSet()
_announced: Final[set[Path]] = set()


def make_default(app: Any) -> None:
    """Have an app use the embedded file, for results too if it has no result store."""
    url = url_of(embedded_file(app.main))
    # As defaults, so that a configuration that is named later is stronger.
    app.add_defaults({"broker_url": url, "result_backend": url})
    _apps.add(app)


def is_default(app: Any) -> bool:
    """Whether the app's broker is the embedded file because nobody said otherwise."""
    return app is not None and app in _apps and app.conf.broker_url == url_of(embedded_file(app.main))


def announce(path: Path) -> None:
    """Say once per process where the tasks go, since nobody has asked for that place."""
    if path not in _announced:
        _announced.add(path)
        logger.info("no broker is configured: tasks go to the embedded queue in %s", path)
