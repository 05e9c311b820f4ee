"""Telling the workers that what has not begun need not begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.app.base import Celery


def revoke(
    app: Celery,
    task_ids: str | Sequence[str],
    connection: Any,
    terminate: bool,
    signal: str | None,
    wait: bool,
    timeout: float | None,
) -> Any:
    """One broadcast for all of the tasks; see `AsyncResult.revoke`."""
    return app.control.revoke(task_ids, terminate=terminate, **_options(connection, signal, wait, timeout))


def revoke_by_stamped_headers(
    app: Celery,
    headers: Mapping[str, Any],
    connection: Any,
    terminate: bool,
    signal: str | None,
    wait: bool,
    timeout: float | None,
) -> Any:
    """See `AsyncResult.revoke_by_stamped_headers`."""
    options = _options(connection, signal, wait, timeout)
    return app.control.revoke_by_stamped_headers(headers, terminate=terminate, **options)


def _options(connection: Any, signal: str | None, wait: bool, timeout: float | None) -> dict[str, Any]:
    """What has been said; for the rest the defaults of remote control hold."""
    options: dict[str, Any] = {"reply": wait}
    given = {"connection": connection, "signal": signal, "timeout": timeout}
    return options | {name: value for name, value in given.items() if value is not None}
