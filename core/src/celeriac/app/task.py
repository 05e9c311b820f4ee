"""A task: a function that can be called here, or sent to be run by a worker."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar

from celeriac.app.context import Context
from celeriac.app.current import get_current_app, get_request_of
from celeriac.app.identifiers import uuid
from celeriac.app.signatures import ArgumentCheck, check_shape
from celeriac.exceptions import (
    Ignore,
    ImproperlyConfigured,
    MaxRetriesExceededError,
    Retry,
)

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.canvas.signature import Signature
    from celeriac.results.async_result import AsyncResult
    from celeriac.results.eager import EagerResult

P = ParamSpec("P")
R = TypeVar("R")

#: Task attribute to the setting that it takes its value from where it says nothing.
FROM_CONFIG: Final = (
    ("serializer", "task_serializer"),
    ("rate_limit", "task_default_rate_limit"),
    ("priority", "task_default_priority"),
    ("track_started", "task_track_started"),
    ("acks_late", "task_acks_late"),
    ("acks_on_failure_or_timeout", "task_acks_on_failure_or_timeout"),
    ("acks_on_failure", "task_acks_on_failure"),
    ("acks_on_timeout", "task_acks_on_timeout"),
    ("reject_on_worker_lost", "task_reject_on_worker_lost"),
    ("ignore_result", "task_ignore_result"),
    ("store_eager_result", "task_store_eager_result"),
    ("store_errors_even_if_ignored", "task_store_errors_even_if_ignored"),
)

#: Task attributes that become options of each of its messages.
EXEC_OPTIONS: Final = (
    "queue",
    "routing_key",
    "exchange",
    "priority",
    "expires",
    "serializer",
    "delivery_mode",
    "compression",
    "time_limit",
    "soft_time_limit",
)


class Task(Generic[P, R]):
    """The base of all tasks.  Attributes are options; a decorator or a subclass sets them."""

    #: Asking for a retry that must not be swallowed; catch it only to raise it again.
    MaxRetriesExceededError = MaxRetriesExceededError

    app: Celery
    #: The name in messages, ``module.function`` unless given.
    name: str | None = None
    type: str = "regular"
    #: Arguments are checked against the function's before a message is sent; None: as the app's `strict_typing` says.
    typing: bool | None = None
    #: Retries after which the error stands; None: for ever.
    max_retries: int | None = 3
    #: Seconds until the next try.
    default_retry_delay: float = 180
    rate_limit: str | float | None = None
    ignore_result: bool | None = None
    #: Called tasks are noted in the result's `children`.
    trail: bool = True
    send_events: bool = True
    store_errors_even_if_ignored: bool | None = None
    serializer: str | None = None
    compression: str | None = None
    #: Seconds.
    time_limit: float | None = None
    soft_time_limit: float | None = None
    backend: Any = None
    track_started: bool | None = None
    acks_late: bool | None = None
    acks_on_failure_or_timeout: bool | None = None
    acks_on_failure: bool | None = None
    acks_on_timeout: bool | None = None
    reject_on_worker_lost: bool | None = None
    store_eager_result: bool | None = None
    throws: tuple[builtins.type[BaseException], ...] = ()
    expires: Any = None
    priority: int | None = None
    queue: str | None = None
    routing_key: str | None = None
    exchange: str | None = None
    delivery_mode: Any = None
    resultrepr_maxsize: int = 1024
    Request: Any = "celeriac.worker.request:Request"
    Strategy: Any = "celeriac.worker.strategy:default"
    autoregister = True
    abstract = True
    from_config: tuple[tuple[str, str], ...] = FROM_CONFIG

    _bound = False
    _function_name: str | None = None
    #: The request outside of any run; made when asked for, because a user's ``__init__`` need not call ours.
    _direct: Context | None = None
    _arguments: ArgumentCheck | None = None
    _options: dict[str, Any] | None = None

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

    # -- binding ------------------------------------------------------------------------------------------------------

    def bind(self, app: Celery) -> None:
        """Take from the app's configuration what the task does not say itself; once, when the app is finalized."""
        if self._bound:
            return
        self.app = app
        for attribute, setting in self.from_config:
            if getattr(self, attribute, None) is None:
                setattr(self, attribute, app.conf[setting])
        if self.typing is None:
            self.typing = app.strict_typing
        self._bound = True
        self.on_bound(app)

    def on_bound(self, app: Celery) -> None:
        """Called once the task knows its app; for subclasses."""

    @property
    def request(self) -> Context:
        """What is known of the message that called this task, in the context that runs it."""
        found = get_request_of(self)
        if found is None:
            found = self._direct
            if found is None:
                found = self._direct = Context(called_directly=True)
        return found

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
        if producer is not None:
            options["producer"] = producer
        if link is not None:
            options["link"] = link
        if link_error is not None:
            options["link_error"] = link_error
        if shadow is not None:
            options["shadow"] = shadow
        if app.conf.task_always_eager:
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
            self._arguments = ArgumentCheck(self)
        self._arguments(args, kwargs)

    def shadow_name(self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> str | None:
        """The name that logs and events show instead of the task's; for subclasses."""
        return None

    def exec_options(self) -> dict[str, Any]:
        """The options that the task's attributes put on each message."""
        if self._options is None:
            found = {name: value for name in EXEC_OPTIONS if (value := getattr(self, name, None)) is not None}
            found["ignore_result"] = self.ignore_result
            self._options = found
        return self._options

    def apply(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        link: Any = None,
        link_error: Any = None,
        task_id: str | None = None,
        retries: int = 0,
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
                "retries": retries,
                "throw": throw,
                "loglevel": loglevel,
                "headers": headers,
                **options,
            },
        )

    def overrides(self, name: str) -> bool:
        """Whether a subclass has a method of its own in place of `Task`'s."""
        return getattr(builtins.type(self), name) is not getattr(Task, name)

    def AsyncResult(self, task_id: str, **kwargs: Any) -> AsyncResult[R]:
        """The result of an earlier call, by id."""
        return self._get_app().AsyncResult(task_id, task_name=self.name, **kwargs)

    def _get_app(self) -> Celery:
        app = self.app
        if not self._bound:
            app.finalize(auto=True)
            self.bind(app)
        return app

    # -- signatures ---------------------------------------------------------------------------------------------------

    def signature(self, args: Any = None, *starargs: Any, **starkwargs: Any) -> Signature:
        """A call that has not been made: ``task.signature((2, 2), countdown=10)``."""
        from celeriac.canvas.signature import Signature

        starkwargs.setdefault("app", self.app)
        return Signature(self, args, *starargs, **starkwargs)

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

    # -- from inside the task -----------------------------------------------------------------------------------------

    def retry(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        exc: BaseException | None = None,
        throw: bool = True,
        eta: Any = None,
        countdown: float | None = None,
        max_retries: int | None = None,
        **options: Any,
    ) -> Retry:
        """Try again later: sends the same task with one more retry, and raises `Retry` to end this run.

        With `throw` False the `Retry` is returned instead.  Raises `exc` (or the error being handled, or
        `MaxRetriesExceededError`) when `max_retries` is used up.
        """
        from celeriac.app.retrying import retry

        return retry(self, args, kwargs, exc, throw, eta, countdown, max_retries, options)

    def signature_from_request(
        self,
        request: Context | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue: str | None = None,
        **extra: Any,
    ) -> Signature:
        """The signature that would send the running task again."""
        request = self.request if request is None else request
        options = request.as_execution_options()
        delivery = request.delivery_info or {}
        if queue:
            options["queue"] = queue
        elif delivery.get("exchange"):
            options.update(exchange=delivery["exchange"], routing_key=delivery.get("routing_key"))
        elif delivery.get("routing_key"):
            options["queue"] = delivery["routing_key"]
        if request.priority is not None:
            options["priority"] = request.priority
        options.update(extra)
        options = {key: value for key, value in options.items() if value is not None}
        return self.signature(
            request.args if args is None else args, request.kwargs if kwargs is None else kwargs, **options
        )

    def replace(self, sig: Any) -> Any:
        """Put `sig` in the place of this run: it gets this task's id, and all that follows the task follows it.

        Raises `Ignore`, which ends this run; in a task that was applied eagerly gives the value instead.
        """
        from celeriac.canvas.replacing import replacement

        if self.request.is_eager or self.request.called_directly:
            return sig.apply().get()
        return self.on_replace(replacement(self, sig))

    def on_replace(self, sig: Any) -> Any:
        """Send what takes the place of this run, and end it by raising `Ignore`; for subclasses."""
        sig.apply_async(add_to_parent=False)
        raise Ignore("Replaced by new task")

    def add_to_chord(self, sig: Any, lazy: bool = False) -> Any:
        """Send one more task whose result the chord that this one is in waits for; with `lazy` only give it.

        Raises ValueError outside of a chord, `NotImplementedError` where the result store cannot count its parts.
        """
        from celeriac.canvas.replacing import added_to_chord

        added = added_to_chord(self, sig)
        return added if lazy else added.delay()

    def update_state(
        self, task_id: str | None = None, state: str | None = None, meta: Any = None, **kwargs: Any
    ) -> None:
        """Store a state of the user's own, with `meta` as the result."""
        request = self.request
        task_id = task_id or request.id
        if task_id is None:
            raise ImproperlyConfigured("update_state outside of a running task needs a task_id")
        self.app.results.store_state(task_id, state or "PENDING", meta, request=request)

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


__all__ = ["EXEC_OPTIONS", "FROM_CONFIG", "Task"]
