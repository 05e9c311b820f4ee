"""The hooks: settings, the default broker, the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celeriac.plugin import Setting, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from celeriac.contracts import HealthCheck


@hookimpl
def celeriac_settings() -> Iterable[Setting]:
    """Say how a file is used."""
    return [
        Setting(
            "sqlite_busy_timeout",
            "seconds",
            30.0,
            "How long to wait for a turn to write to the file before giving up.",
            minimum=0,
        ),
        Setting(
            "sqlite_durability",
            str,
            "process",
            "What stored messages and results survive: the end of any process, or also a power cut (slower).",
            choices=("process", "power"),
        ),
        Setting(
            "sqlite_lease",
            "seconds",
            30.0,
            "How long a worker's claim on its messages lasts without renewal; that of a worker whose process has"
            " ended on the same machine ends at once.",
            minimum=1,
        ),
        Setting(
            "sqlite_cleanup_interval",
            "seconds",
            300.0,
            "How often a worker removes expired results from the file; 0: never.",
            minimum=0,
        ),
    ]


@hookimpl
def celeriac_configured(app: Any) -> None:
    """Make the embedded file the broker, and the result store, of an app that has configured none."""
    conf = app.conf
    if conf.broker_url or conf.broker_read_url or conf.broker_write_url or conf.broker_transport:
        return
    # An app with a broker of its own does not pay for this.
    from celeriac_sqlite import embedded

    embedded.make_default(app)


@hookimpl
def celeriac_worker_steps(app: Any) -> Iterable[type[Any]]:
    """Have workers remove expired results."""
    url = app.conf.result_backend
    if not isinstance(url, str) or not url.startswith("sqlite:"):
        return []
    from celeriac_sqlite.cleaner import ResultCleaner

    return [ResultCleaner]


@hookimpl
def celeriac_report(app: Any) -> Mapping[str, str]:
    """Name the library and the file."""
    # sqlite3 is heavy, and most commands never ask.
    from celeriac_sqlite.report import facts

    return facts(app)


@hookimpl
def celeriac_health_checks(app: Any) -> Iterable[HealthCheck]:
    """Tell of a disk that is about to be full."""
    from celeriac_sqlite.health import checks

    return checks(app)
