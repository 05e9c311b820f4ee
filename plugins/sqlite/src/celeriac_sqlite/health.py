"""Whether there is room for the files in use."""

from __future__ import annotations

import os
from typing import Any, Final

from celeriac.contracts import HealthCheck
from celeriac.exceptions import CeleryError
from celeriac_sqlite.place import path_of

#: Bytes below which a disk counts as full: a busy queue's write-ahead log alone can take as much.
ENOUGH: Final = 64 * 1024 * 1024


def checks(app: Any) -> list[HealthCheck]:
    """One for each file that the app uses."""
    urls = {url for url in (app.conf.broker_url, app.conf.result_backend) if isinstance(url, str)}
    return [HealthCheck("sqlite", _Room(url, app.main)) for url in sorted(urls) if url.startswith("sqlite:")]


class _Room:
    """Whether the disk of one file has room; one look at the file system, which does not wait for the disk."""

    def __init__(self, url: str, main: str | None) -> None:
        self._url = url
        self._main = main

    def __call__(self) -> str | None:
        try:
            directory = path_of(self._url, self._main).parent
            found = os.statvfs(directory)
        except (CeleryError, OSError) as error:
            return str(error)
        free = found.f_bavail * found.f_frsize
        if free >= ENOUGH:
            return None
        return f"the disk of {directory} has {free // 1024 // 1024} MiB left: tasks and results can soon not be stored"
