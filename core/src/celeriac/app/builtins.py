"""The tasks that every app has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.app.base import Celery

#: Canvases that are tasks in name only: whoever sends them expands them.
_EXPANDED = ("celery.group", "celery.chain", "celery.chord")


def define_builtins(app: Celery) -> None:
    """Define them on `app`."""

    @app.task(name="celery.backend_cleanup", shared=False, ignore_result=True)
    def backend_cleanup() -> None:
        stores = {id(task.backend): task.backend for task in app.tasks.values() if task._named_backend is not None}
        for store in {id(app.backend): app.backend, **stores}.values():
            store.cleanup()

    @app.task(name="celery.accumulate", bind=True, shared=False, max_retries=None)
    def accumulate(_: Any, *args: Any, **kwargs: Any) -> Any:
        index = kwargs.get("index")
        return args[index] if index is not None else args

    # Acked late: where the store cannot count, it is all that knows that a body has to be called.
    @app.task(
        name="celery.chord_unlock",
        bind=True,
        shared=False,
        max_retries=None,
        ignore_result=True,
        acks_late=True,
        reject_on_worker_lost=True,
    )
    def chord_unlock(
        self: Any,
        /,
        group_id: str,
        callback: Any,
        interval: float | None = None,
        max_retries: int | None = None,
        result: Any = None,
        **_: Any,
    ) -> None:
        from celeriac.canvas.unlocking import unlock  # only in workers that look after chords

        unlock(self, group_id, callback, interval, max_retries, result)

    @app.task(name="celery.map", shared=False)
    def xmap(task: Any, it: Any) -> list[Any]:
        run = app.signature(task)
        return [run(item) for item in it]

    @app.task(name="celery.starmap", shared=False)
    def xstarmap(task: Any, it: Any) -> list[Any]:
        run = app.signature(task)
        return [run(*item) for item in it]

    @app.task(name="celery.chunks", shared=False)
    def chunks(task: Any, it: Any, n: int) -> Any:
        from celeriac.canvas.maps import chunks  # as above

        return chunks.apply_chunks(app.signature(task), it, n, app=app).as_tuple()

    for name in _EXPANDED:
        app.task(name=name, shared=False, typing=False)(_expanded(name))


def _expanded(name: str) -> Any:
    def run(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(
            f"{name} is no task of its own: its sender expands it. Send the canvas, not its name, as in group(...)()"
        )

    run.__name__ = name.rpartition(".")[2]
    return run
