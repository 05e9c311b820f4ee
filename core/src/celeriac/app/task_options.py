"""What a task says of itself: options as attributes, and what the configuration adds to them."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar

from celeriac.app.annotations import resolve_all
from celeriac.app.current import get_current_app
from celeriac.app.retrying import AUTORETRY, retry_by_itself
from celeriac.exceptions import MaxRetriesExceededError

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.backend import Backend

Q = ParamSpec("Q")
T = TypeVar("T")

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
    ("max_deliveries", "task_max_deliveries"),
    ("retry_on_worker_lost", "task_retry_on_worker_lost"),
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

#: The request of a task whose class does not name another.
DEFAULT_REQUEST: Final = "celeriac.worker.request:Request"
DEFAULT_STRATEGY: Final = "celeriac.worker.strategy:default"


class on_class_or_instance(Generic[Q, T]):  # noqa: N801  # reads as the decorator that it is
    """A method that a class may be asked for as well as an instance, and that concerns the one that was asked."""

    def __init__(self, function: Callable[Concatenate[Any, Q], T]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, kind: type[Any]) -> Callable[Q, T]:
        return MethodType(self._function, kind if instance is None else instance)


class _AppOfTask:
    """The app that a task, or a class of tasks, belongs to; the current one where that is not settled."""

    def __get__(self, task: Any, kind: type[Any]) -> Celery:
        found = None if task is None else task.__dict__.get("_app")
        return found if found is not None else get_current_app()

    def __set__(self, task: Any, app: Celery) -> None:
        task.__dict__["_app"] = app


class _BackendOfTask:
    """The result store of the task's app, unless the task names another: by its URL, by its class, or as itself."""

    def __get__(self, task: Any, kind: type[Any]) -> Backend:
        asked = kind if task is None else task
        found: Backend = asked.app.results.of_task(asked).backend
        return found

    def __set__(self, task: Any, backend: Any) -> None:
        task.__dict__["_named_backend"] = backend
        task.__dict__["_makes_results"] = True


class _OperationalErrorOfKombu:
    """Kombu is loaded by whoever asks for its error, or by the first message."""

    def __get__(self, task: Any, kind: type[Any]) -> type[Exception]:
        from kombu.exceptions import OperationalError

        return OperationalError


class TaskOptions:
    """Options are attributes; a decorator, a subclass or ``task_annotations`` sets them."""

    #: Asking for a retry that must not be swallowed; catch it only to raise it again.
    MaxRetriesExceededError = MaxRetriesExceededError
    #: What sending raises where the broker stays out of reach.
    OperationalError = _OperationalErrorOfKombu()

    #: The app; a class that is not bound to one has the current app.
    app = _AppOfTask()
    #: The name in messages, ``module.function`` unless given.
    name: str | None = None
    type: str = "regular"
    #: Arguments are checked against the function's before a message is sent; None: as the app's `strict_typing` says.
    typing: bool | None = None
    #: Retries after which the error stands; None: for ever.
    max_retries: int | None = 3
    #: Seconds until the next try.
    default_retry_delay: float = 180
    #: Such as "10/s", "100/m", "5/h", or a number per second.
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
    #: The result store; the app's unless this is set to a URL, a class or an instance.
    backend: Any = _BackendOfTask()
    track_started: bool | None = None
    acks_late: bool | None = None
    acks_on_failure_or_timeout: bool | None = None
    acks_on_failure: bool | None = None
    acks_on_timeout: bool | None = None
    reject_on_worker_lost: bool | None = None
    #: Deliveries of one message after which it is not run again, where the broker counts them; None: for ever.
    max_deliveries: int | None = None
    retry_on_worker_lost: bool | None = None
    store_eager_result: bool | None = None
    #: Exceptions that belong to the task's normal life: logged without a traceback, at INFO.
    throws: tuple[builtins.type[BaseException], ...] = ()
    expires: Any = None
    priority: int | None = None
    queue: str | None = None
    routing_key: str | None = None
    exchange: str | None = None
    delivery_mode: Any = None
    #: Characters of the result's repr in logs and events.
    resultrepr_maxsize: int = 1024
    Request: Any = DEFAULT_REQUEST
    Strategy: Any = DEFAULT_STRATEGY
    autoregister = True
    abstract = True
    from_config: tuple[tuple[str, str], ...] = FROM_CONFIG

    _bound_to: Celery | None = None
    #: What `backend` was set to.
    _named_backend: Any = None
    _options: dict[str, Any] | None = None

    @on_class_or_instance
    def bind(self, app: Celery) -> Any:
        """Take from the app's configuration what the task does not say itself; once, when the app is finalized."""
        if app in (vars(self).get("_bound_to"), vars(builtins.type(self)).get("_bound_to")):
            return self
        self.app = app
        for attribute, setting in self.from_config:
            if getattr(self, attribute, None) is None:
                setattr(self, attribute, app.conf[setting])
        if self.typing is None:
            self.typing = app.strict_typing
        self.annotate()
        self._options = None
        self._bound_to = app
        self.on_bound(app)
        return self

    @on_class_or_instance
    def on_bound(self, app: Celery) -> None:
        """Called once the task knows its app; for subclasses."""

    @on_class_or_instance
    def annotate(self) -> None:
        """Set the attributes that the app's ``task_annotations`` have for the task.

        A function becomes a method; one named with ``@`` before the method's name is called with the method there is,
        and gives the one to have in its place.
        """
        annotations = [each for attributes in resolve_all(self.app.annotations, self) for each in attributes.items()]
        retries = [(name, value) for name, value in annotations if name in AUTORETRY]
        if retries:
            for name, value in retries:
                setattr(self, name, value)
            if not isinstance(self, builtins.type):
                retry_by_itself(self, anew=True)  # before what stands for `run`, or is put around it
        for name, value in annotations:
            if name.startswith("@"):
                self.add_around(name[1:], value)
            elif name not in AUTORETRY:
                _set(self, name, value)

    @on_class_or_instance
    def add_around(self, attr: str, around: Callable[[Any], Any]) -> None:
        """Replace the method `attr` by what `around` makes of its function; a second time, of the original one."""
        found = getattr(self, attr)
        function = getattr(found, "__func__", found)
        original = getattr(function, "_celeriac_original", function)
        replacement = around(original)
        replacement._celeriac_original = original
        if hasattr(found, "__func__"):
            _set(self, attr, replacement)
        else:  # a function of a task that is not bound, or of a class: it takes what it took
            setattr(self, attr, replacement)

    def exec_options(self) -> dict[str, Any]:
        """The options that the task's attributes put on each message."""
        if self._options is None:
            found = {name: value for name in EXEC_OPTIONS if (value := getattr(self, name, None)) is not None}
            found["ignore_result"] = self.ignore_result
            self._options = found
        return self._options

    def start_strategy(self, app: Celery, consumer: Any, **kwargs: Any) -> Any:
        """What judges the task's messages in a worker; see `celeriac.worker.strategy.default`."""
        from celeriac.app.names import symbol

        return symbol(self.Strategy)(self, app, consumer, **kwargs)


def _set(task: Any, name: str, value: Any) -> None:
    """Set an attribute of a task, or of a class of tasks; a function becomes a method."""
    if isinstance(value, FunctionType) and not isinstance(task, type):
        if name.startswith("__"):  # Python looks for these on the class only
            task = builtins.type(task)
        else:
            value = MethodType(value, task)
    setattr(task, name, value)
