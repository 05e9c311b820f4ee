"""Tasks and messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from celeriac.plugin.markers import hookspec

if TYPE_CHECKING:
    from celeriac.contracts import Middleware, Outcome
    from celeriac.plugin.options import TaskOption


@hookspec
def celeriac_task_options() -> Iterable[TaskOption]:
    """Adds keyword arguments to `@app.task` and `apply_async`.

    - Called: once per app, when the first task is bound to it, in any thread.
    - For: plugins whose middleware behaves differently from task to task. An option that nobody owns is refused with
      the nearest spelling; one that two plugins own is an error naming both.
    - Parameters: none.
    - Returns: the options, each with name, type, default and one sentence of documentation. A value given to the task
      becomes its attribute; one given to `apply_async` reaches publish middleware as `message.properties[name]`, which
      takes it out.
    - Default: no options.
    - Results: all are joined.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_task_options():
        yield TaskOption("deadline", "seconds", None, "Drop the task when it was not started by then.")
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_publish_middleware(app: Any) -> Iterable[Middleware]:
    """Wraps the way of a message from `apply_async` to the broker's lane.

    - Called: once per app and process, when its first message is published, in any thread. Never per message: the
      layers are bound into one callable, and there is none where no plugin has a layer.
    - For: plugins that add to, change or stop outgoing messages.
    - Parameters: `app` is the app.
    - Returns: layers. Each is called as `call(message, call_next)` with an `OutgoingMessage`, in the thread that
      publishes, after the receivers of `before_task_publish`; lower priorities are further out.
    - Default: no layers.
    - Results: all are sorted by priority.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_publish_middleware(app):
        def add_deadline(message, call_next):
            message.headers["deadline"] = time.time() + 60
            return call_next(message)

        return [Middleware(50, add_deadline, "deadline")]
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_consume_middleware(app: Any) -> Iterable[Middleware]:
    """Wraps the way of a message from the broker's lane to the pool.

    - Called: once per worker, in its main process, when it starts. Never per message.
    - For: plugins that decide by the headers alone whether a message goes on. The body is not decoded here.
    - Parameters: `app` is the app.
    - Returns: layers. Each is called as `call(delivery, call_next)` with a `Delivery`, in the thread of the worker's
      loop, and must not block. It returns what `call_next` returns, or the `OutcomeKind` as which the delivery ends
      there, or raises `SecurityError`, which refuses the message as invalid; any other error is logged, and the
      message goes on. Layers are asked before anything else is made of what the headers say.
    - Default: no layers.
    - Results: all are sorted by priority.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_consume_middleware(app):
        def drop_if_late(delivery, call_next):
            if delivery.headers.get("deadline", math.inf) < time.time():
                return OutcomeKind.EXPIRED
            return call_next(delivery)

        return [Middleware(50, drop_if_late, "deadline")]
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_execute_middleware(app: Any) -> Iterable[Middleware]:
    """Wraps the running of a task where it runs.

    - Called: once per process that runs tasks (with threads: once per worker), when it starts. Never per task.
    - For: plugins that set something up around a task's code, or keep it from running.
    - Parameters: `app` is the app.
    - Returns: layers. Each is called as `call(request, call_next)` with the task's request, in the process and
      thread that runs the task; `call_next` returns what the task returned and raises what it raised. A layer with a
      `call_async` lets coroutine tasks run in the event loop of the pool `asyncio`; without, they run in threads there.
    - Default: no layers.
    - Results: all are sorted by priority.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_execute_middleware(app):
        def bind_tenant(request, call_next):
            with tenant(request.headers.get("tenant")):
                return call_next(request)

        return [Middleware(50, bind_tenant, "tenant")]
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_outcome_listeners(app: Any) -> Iterable[Callable[[Outcome], None]]:
    """Listens to how deliveries end.

    - Called: once per worker, in its main process, when it starts.
    - For: plugins that count, log or report. Every delivery ends in exactly one outcome.
    - Parameters: `app` is the app.
    - Returns: callables. Each is called with an `Outcome`, exactly once per delivery, in the thread of the worker's
      loop; it must not block. What it raises is logged and changes nothing.
    - Default: nobody listens.
    - Results: all are called, in the order of the plugins.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_outcome_listeners(app):
        return [lambda outcome: counter.labels(outcome.task, outcome.kind).inc()]
    ```
    """
    raise NotImplementedError  # pragma: no cover
