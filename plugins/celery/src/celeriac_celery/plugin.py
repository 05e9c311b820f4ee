"""What the kernel calls."""

from __future__ import annotations

import sys
from typing import Any

from celeriac.contracts import HealthCheck
from celeriac.plugin import hookimpl
from celeriac_celery import conflict


@hookimpl
def celeriac_app_created(app: Any) -> None:
    """Warn where Celery itself is installed, too."""
    conflict.tell()


@hookimpl
def celeriac_worker_steps(app: Any) -> Any:
    """Let ``celery.worker.state`` know the worker."""
    from celeriac_celery.worker_steps import Known

    return [Known]


@hookimpl
def celeriac_execute_middleware(app: Any) -> Any:
    """The tracers of instrumentation, where there is some: it has replaced a name of that module."""
    if "celery.app.trace" not in sys.modules:
        return []
    from celeriac_celery.tracing import layers

    return layers(app)


@hookimpl
def celeriac_health_checks(app: Any) -> list[HealthCheck]:
    """Nothing that is written for Celery's names reaches Celeriac where another package has them."""
    return [HealthCheck("celery", lambda: conflict.found() if conflict.is_shadowed() else None)]


@hookimpl
def celeriac_report(app: Any) -> dict[str, str]:
    """Whose ``celery`` it is."""
    return {"celery": conflict.found() or "the API of 5.7.0, by celeriac-celery"}
