"""A task: a function that can be called here, or sent to be run by a worker."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from celeriac.app.context import Context
from celeriac.app.current import get_current_app
from celeriac.app.identifiers import uuid
from celeriac.app.signatures import ArgumentCheck, check_shape
from celeriac.app.task_options import EXEC_OPTIONS, FROM_CONFIG
from celeriac.app.task_run import RunningTask

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.app.models import Models
    from celeriac.canvas.signature import Signature
    from celeriac.results.async_result import AsyncResult
    from celeriac.results.eager import EagerResult

P = ParamSpec("P")
R = TypeVar("R")


class Task(RunningTask, Generic[P, R]):
    """The base of all tasks.  Attributes are options; a decorator or a subclass sets them."""

    _function_name: str | None = None
    _arguments: Callable[..., Any] | None = None
    _models: Models | None = None
    #: Whether the results of calls are other than the app's: of a class or a store of their own.
    _makes_results = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        named = vars(cls).get("backend")
        if "backend" in vars(cls) and not hasattr(named, "__get__"):
            # Whoever asks is to get the store, not its name.
            cls._named_backend = named
            delattr(cls, "backend")
        cls._makes_results = cls.AsyncResult is not Task.AsyncResult or cls._named_backend is not None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the task here and now."""
        return self.run(*args, **kwargs)  # type: ignore[no-any-return]  # a subclass says what run returns

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """What the task does."""
        raise NotImplementedError(f"task {self.name!r} must define the method run")

    def __repr__(self) -> str:
        return f"<@task: {self.name} of {getattr(self.app, 'main', None)}>"

    def __reduce__(self) -> Any:
        return _task_by_name, (self.name, builtins.type(self).__module__)

    # -- calling ------------------------------------------------------------------------------------------------------

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Send the task with these arguments: the short form of `apply_async`."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        producer: Any = None,
        link: Any = None,
        link_error: Any = None,
        shadow: str | None = None,
        **options: Any,
    ) -> AsyncResult[R]:
        """Send the task.

        `countdown` (seconds) or `eta` (datetime) say when it may run, `expires` (seconds or datetime) until when;
        `queue`, `exchange`, `routing_key`, `priority` say where it goes; `link` and `link_error` are signatures called
        afterwards; `result_expires` (seconds or timedelta, 0 for ever) says how long a worker of Celeriac keeps the
        result; unknown options become message properties.

        Raises TypeError for arguments that the task does not take, `SerializationError` for arguments that cannot be
        encoded, `kombu.exceptions.OperationalError` when the broker cannot be reached.
        """
        args, kwargs = args or (), kwargs or {}
        app = self._get_app()
        self.check_arguments(args, kwargs)
        if self._models is not None:
            args, kwargs = self._models.outgoing(args, kwargs)
        if producer is not None:
            options["producer"] = producer
        if link is not None:
            options["link"] = link
        if link_error is not None:
            options["link_error"] = link_error
        if shadow is not None:
            options["shadow"] = shadow
        if app.conf["task_always_eager"]:
            eager: AsyncResult[R] = self._apply_eagerly(app, args, kwargs, task_id, options)
            return eager
        return app.send_for(self, args, kwargs, task_id, options)

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """As `delay`, without blocking the event loop."""
        return await self.aapply_async(args, kwargs)

    async def aapply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[R]:
        """As `apply_async`, without blocking the event loop: a thread sends, in the context of the caller.

        A task that is cancelled while it waits for this may have been sent all the same.
        """
        import asyncio  # here, because it takes as long to import as all else together

        return await asyncio.to_thread(self.apply_async, args, kwargs, **options)

    def _apply_eagerly(
        self, app: Celery, args: Sequence[Any], kwargs: Mapping[str, Any], task_id: str | None, options: dict[str, Any]
    ) -> Any:
        """In place of sending; arguments cross the serializer, so that what works eagerly works on the wire."""
        content_type, _, data = app.serializers.encode(
            [args, kwargs], options.get("serializer") or self.serializer or app.conf.task_serializer
        )
        args, kwargs = app.serializers.decode(data, content_type)
        return self.apply(args, kwargs, task_id=task_id or uuid(), **options)

    def check_arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raises TypeError, as the function itself would, for arguments that it does not take."""
        check_shape(self.name, args, kwargs)
        if not self.typing:
            return
        if self._arguments is None:
            self._arguments = self.app.type_checker(self.run)
            if isinstance(self._arguments, ArgumentCheck):
                self._arguments.name = self.name
        self._arguments(*args, **kwargs)

    def shadow_name(self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> str | None:
        """The name that logs and events show instead of the task's; for subclasses."""
        return None

    def apply(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        link: Any = None,
        link_error: Any = None,
        task_id: str | None = None,
        retries: int | None = None,
        throw: bool | None = None,
        logfile: str | None = None,
        loglevel: int | None = None,
        headers: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> EagerResult[R]:
        """Run the task here and now, as a worker would: with a request, retries and its state."""
        return self._get_app().run_eagerly(
            self,
            args or (),
            kwargs or {},
            {
                "task_id": task_id or uuid(),
                "link": link,
                "link_error": link_error,
                "retries": retries or 0,
                "throw": throw,
                "logfile": logfile,
                "loglevel": loglevel,
                "headers": headers,
                **options,
            },
        )

    def overrides(self, name: str) -> bool:
        """Whether a subclass, or an annotation, has a method of its own in place of `Task`'s."""
        return getattr(getattr(self, name), "__func__", None) is not getattr(Task, name)

    def AsyncResult(self, task_id: str, **kwargs: Any) -> AsyncResult[R]:
        """The result of an earlier call, by id."""
        app = self._get_app()
        if self._named_backend is not None:
            kwargs.setdefault("backend", self.backend)
        return app.AsyncResult(task_id, task_name=self.name, **kwargs)

    def _get_app(self) -> Celery:
        app = self.app
        if self._bound_to is None:
            app.finalize(auto=True)
            self.bind(app)
        return app

    # -- signatures ---------------------------------------------------------------------------------------------------

    def signature(self, args: Any = None, *starargs: Any, **starkwargs: Any) -> Signature:
        """A call that has not been made: ``task.signature((2, 2), countdown=10)``."""
        from celeriac.canvas.signature import Signature

        starkwargs.setdefault("app", self.app)
        made = Signature(self, args, *starargs, **starkwargs)
        if self._models is not None:
            made["args"], made["kwargs"] = self._models.outgoing(made["args"], made["kwargs"])
        return made

    subtask = signature

    def s(self, *args: Any, **kwargs: Any) -> Signature:
        """A signature with these arguments."""
        return self.signature(args, kwargs)

    def si(self, *args: Any, **kwargs: Any) -> Signature:
        """A signature with these arguments that takes no more."""
        return self.signature(args, kwargs, immutable=True)

    def map(self, it: Iterable[Any]) -> Signature:
        """A call of the task for each element of `it`, all in one message."""
        from celeriac.canvas.maps import xmap

        return xmap(self.s(), it, app=self.app)

    def starmap(self, it: Iterable[Any]) -> Signature:
        """A call of the task for each element of `it`, which are its arguments, all in one message."""
        from celeriac.canvas.maps import xstarmap

        return xstarmap(self.s(), it, app=self.app)

    def chunks(self, it: Iterable[Any], n: int) -> Signature:
        """The same as `starmap`, with `n` elements in each message."""
        from celeriac.canvas.maps import chunks

        return chunks(self.s(), it, n, app=self.app)

    # -- for subclasses -----------------------------------------------------------------------------------------------

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Called by the worker before the task runs."""

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """Called by the worker when the task has succeeded."""

    def on_retry(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Called by the worker when the task is to be tried again."""

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Called by the worker when the task has failed."""

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Called by the worker when the task has ended, however it did."""

    @property
    def __name__(self) -> str:
        """The name of the function."""
        return self._function_name or builtins.type(self).__qualname__


def _task_by_name(name: str, module: str) -> Any:
    """What a pickled task is read as: the one of that name, defined by its module if it is not there yet."""
    tasks = get_current_app().tasks
    if name not in tasks:
        import_module(module)
    return tasks[name]


__all__ = ["EXEC_OPTIONS", "FROM_CONFIG", "Context", "Task"]
