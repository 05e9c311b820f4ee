"""Apps for tests, and a trap for code that uses whichever app is the current one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn
from uuid import uuid4

from celeriac.app import current
from celeriac.app.base import Celery
from celeriac.app.log import Logging

#: What an app for tests is configured with, unless told otherwise; broker and store besides: see `TestApp`.
DEFAULT_TEST_CONFIG: Final[Mapping[str, Any]] = {
    "worker_hijack_root_logger": False,
    "worker_log_color": False,
    "accept_content": ["json"],
    "enable_utc": True,
    "timezone": "UTC",
    "broker_heartbeat": 0,
}


class UnitLogging(Logging):
    """Sets nothing up: what is logged is pytest's business."""

    def setup_logging_subsystem(self, *args: Any, **kwargs: Any) -> bool:
        return True


class Trap:
    """Stands where the current app is looked for, and says so to whoever uses it."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(
            f"the attribute {name!r} of the current app was asked for, and a trap is set for that "
            "(use_celery_app_trap): use the app that is meant, or mark the test with "
            "@pytest.mark.usefixtures('depends_on_current_app')"
        )


def TestApp(
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
    enable_logging: bool = False,
    set_as_current: bool = False,
    log: Any = UnitLogging,
    backend: str | None = None,
    broker: str | None = None,
    **kwargs: Any,
) -> Celery:
    """An app on an in-memory broker and store of its own, which no other app sees, unless `config` names others.

    `config` takes the place of `DEFAULT_TEST_CONFIG`; with `enable_logging` a worker of it sets up logs.
    """
    settings = dict(DEFAULT_TEST_CONFIG if config is None else config)
    address = f"memory://{uuid4().hex}"
    broker = broker or settings.pop("broker_url", None) or address
    backend = backend or settings.pop("result_backend", None) or address
    return Celery(
        name or "celeriac.tests",
        set_as_current=set_as_current,
        log=None if enable_logging else log,
        broker=broker,
        backend=backend,
        changes=settings,
        **kwargs,
    )


TestApp.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


@contextmanager
def set_trap(app: Celery) -> Iterator[None]:  # noqa: ARG001  # it is given by the API
    """While the block lasts, whoever uses the current app is told not to."""
    trap: Any = Trap()
    with _apps_as_they_were():
        current.set_default_app(trap)
        current.set_current_app(None)
        yield


@contextmanager
def setup_default_app(app: Celery, use_trap: bool = False) -> Iterator[None]:
    """Have `app` (with `use_trap`: a trap) in the place of the current app while the block lasts; then close it."""
    with _apps_as_they_were():
        if use_trap:
            with set_trap(app):
                yield
        else:
            app.set_default()
            app.set_current()
            yield
    app.close()


@contextmanager
def _apps_as_they_were() -> Iterator[None]:
    before = current.both_apps()
    try:
        yield
    finally:
        current.set_current_app(before[0])
        current.set_default_app(before[1])


__all__ = ["DEFAULT_TEST_CONFIG", "TestApp", "Trap", "UnitLogging", "set_trap", "setup_default_app"]
