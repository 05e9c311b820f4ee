"""What the report says about the files in use."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from celeriac.exceptions import CeleryError
from celeriac_sqlite import embedded
from celeriac_sqlite.place import path_of

if TYPE_CHECKING:
    from pathlib import Path


def facts(app: Any) -> dict[str, str]:
    """Names and values; nothing is created by looking."""
    found = {"sqlite library": sqlite3.sqlite_version}
    for name, url in (("sqlite queue", app.conf.broker_url), ("sqlite results", app.conf.result_backend)):
        if isinstance(url, str) and url.startswith("sqlite:"):
            found[name] = _describe(url, app)
    if embedded.is_default(app) and "sqlite queue" in found:
        found["sqlite queue"] += " (the embedded default)"
    return found


def _describe(url: str, app: Any) -> str:
    try:
        path = path_of(url, app.main)
    except CeleryError as error:
        return str(error)
    if not path.exists():
        return f"{path}, not there yet"
    return f"{path}, {_counts(path)}"


def _counts(path: Path) -> str:
    try:
        with closing(sqlite3.connect(path.as_uri() + "?mode=ro", uri=True, timeout=1)) as connection:
            ready, delayed, claimed, results = connection.execute(
                "SELECT (SELECT count(*) FROM ready), (SELECT count(*) FROM delayed), (SELECT count(*) FROM claim),"
                " (SELECT count(*) FROM result)"
            ).fetchone()
    except sqlite3.Error as error:
        return f"not readable: {error}"
    size = os.path.getsize(path) / 1024 / 1024
    return f"{size:.1f} MiB, {ready} messages ready, {delayed} held back, {claimed} claimed, {results} results"
