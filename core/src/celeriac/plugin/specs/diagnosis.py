"""Diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from celeriac.plugin.markers import hookspec

if TYPE_CHECKING:
    from celeriac.contracts import HealthCheck


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


@hookspec
def celeriac_health_checks(app: Any) -> Iterable[HealthCheck]:
    """Adds questions about the health of a worker, which `--health` answers at `/readyz` and `/status`.

    - Called: once per worker or beat, in its main process and thread, when it serves health checks; and by
      `celeriac doctor`, in its process.
    - For: plugins that know of faults which keep the worker from its work: a disk that is full, a licence that has
      expired.
    - Parameters: `app` is the app, finalized.
    - Returns: checks, each with a name and a callable that returns None when all is well, else a sentence. It is
      called for each request in the thread of the worker's loop, and must not block. What it raises counts as a fault.
    - Default: the worker is ready when it takes messages.
    - Results: all are asked.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_health_checks(app):
        return [HealthCheck("sqlite", lambda: None if free_bytes() else "the disk of the queue file is full")]
    ```
    """
    raise NotImplementedError  # pragma: no cover
