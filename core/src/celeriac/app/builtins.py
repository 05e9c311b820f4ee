"""The tasks that every app has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.app.base import Celery


def define_builtins(app: Celery) -> None:
    """Define them on `app`."""

    @app.task(name="celery.backend_cleanup", shared=False, ignore_result=True)
    def backend_cleanup() -> None:
        app.results.backend.cleanup()

    @app.task(name="celery.accumulate", bind=True, shared=False, max_retries=None)
    def accumulate(_: Any, *args: Any, **kwargs: Any) -> Any:
        index = kwargs.get("index")
        return args[index] if index is not None else args

    @app.task(name="celery.map", shared=False)
    def xmap(task: Any, it: Any) -> list[Any]:
        run = _task_of(app, task)
        return [run(item) for item in it]

    @app.task(name="celery.starmap", shared=False)
    def xstarmap(task: Any, it: Any) -> list[Any]:
        run = _task_of(app, task)
        return [run(*item) for item in it]


def _task_of(app: Celery, signature: Any) -> Any:
    name = signature["task"] if isinstance(signature, dict) else getattr(signature, "name", signature)
    return app.tasks[name]
