"""The task in which a worker runs a task of ``django.tasks``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from celeriac_django.names import RUN_TASK

#: Where the backends are that Django has itself, which run nothing in workers.
_DJANGOS: Final = ("django.tasks.backends.", "django_tasks.backends.")


def is_wanted() -> bool:
    """Whether the settings of the project have that backend, or one of their own, which may be made of it."""
    from django.conf import settings  # type: ignore[import-untyped]  # Django has no annotations

    backends = getattr(settings, "TASKS", None) or {}
    named = [str(one.get("BACKEND", "")) for one in backends.values() if isinstance(one, dict)]
    return any(name and not name.startswith(_DJANGOS) for name in named)


def register(app: Any) -> None:
    """Have the app run tasks of ``django.tasks``."""
    app.task(run_task, name=RUN_TASK, bind=True, ignore_result=False, store_eager_result=True)


def run_task(self: Any, path: str, backend: str, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Run the task at that path; its value, when it began and where it ran, as the backend reads them back."""
    from celeriac_django.task_backend import running, workers_of

    begun = datetime.now(UTC)
    with running(path, backend, self.request, args, kwargs, begun) as call:
        value = call()
    return {"value": value, "started_at": begun.isoformat(), "workers": workers_of(self.request)}
