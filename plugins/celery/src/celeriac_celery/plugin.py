"""What the kernel calls."""

from __future__ import annotations

import sys
import warnings
from functools import cache
from typing import Any

from celeriac.plugin import hookimpl


@hookimpl
def celeriac_app_created(app: Any) -> None:
    """Warn where ``import celery`` finds Celery's own package, and not ours."""
    if (other := other_celery()) is not None:
        warnings.warn(other, stacklevel=2)


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
def celeriac_report(app: Any) -> dict[str, str]:
    """Whose ``celery`` it is."""
    return {"celery": other_celery() or "the API of 5.7.0, by celeriac-celery"}


@cache
def other_celery() -> str | None:
    """What is wrong where ``celery`` is not ours; None where it is."""
    from importlib.util import find_spec

    loaded = sys.modules.get("celery")
    origin = getattr(loaded, "__file__", None) if loaded is not None else getattr(find_spec("celery"), "origin", None)
    if origin is None or hasattr(loaded, "names_of_celery"):
        return None
    with open(origin, encoding="utf-8") as file:
        if "celeriac_celery" in file.read():
            return None
    return (
        f"celery and celeriac-celery are both installed, and `import celery` finds Celery's own package ({origin}). "
        "Keep one: pip uninstall celery && pip install --force-reinstall --no-deps celeriac-celery"
    )
