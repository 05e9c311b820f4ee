"""What ``@app.task`` and ``@shared_task`` are to a type checker: tasks with the types of their functions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from celeriac.app.task import Task

    P = ParamSpec("P")
    R = TypeVar("R")

    class CoroutineTask(Task[P, R]):
        """The task of an ``async def``: its result is what the coroutine gives, calling it here gives the coroutine."""

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:  # type: ignore[override]  # awaited, it is R
            """The coroutine."""

    class TaskDecorator(Protocol):
        """``@app.task(max_retries=5)``."""

        @overload
        def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> CoroutineTask[P, R]: ...

        @overload
        def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...

    class BoundTaskDecorator(Protocol):
        """``@app.task(bind=True)``: the first parameter is the task, and no caller's business."""

        @overload
        def __call__(
            self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /
        ) -> CoroutineTask[P, R]: ...

        @overload
        def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> Task[P, R]: ...
