"""Diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celeriac.plugin.markers import hookspec


@hookspec
def celeriac_report(app: Any) -> Mapping[str, str]:
    """Adds lines to `celeriac report`: facts that help whoever reads a bug report.

    - Called: by `celeriac report`, in its process.
    - For: every plugin that knows versions, files or capabilities. Never return secrets. What it raises becomes a
      line of the report.
    - Parameters: `app` is the app.
    - Returns: names and values, both short.
    - Default: no lines.
    - Results: all are shown, in the order of the plugins, the kernel's own first.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_report(app):
        return {"sqlite library": sqlite3.sqlite_version, "queue file": str(queue_path(app))}
    ```
    """
    raise NotImplementedError  # pragma: no cover
