"""Every error that Celeriac raises or reports, as one tree.

The one-sentence docstring of a class is its default message.  Names and bases are those of
``celery.exceptions``, so that an ``except`` clause written for Celery catches the same things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from click import ClickException
    from kombu.exceptions import ContentDisallowed as _KombuContentDisallowed
    from kombu.exceptions import OperationalError as OperationalError

    class ContentDisallowed(SecurityError, _KombuContentDisallowed):  # noqa: D101, F821  # see _content_disallowed
        pass

    class CeleryCommandException(ClickException):  # noqa: D101  # see _command_exception
        def __init__(self, message: str, exit_code: int) -> None: ...


__all__ = [
    "AlreadyRegistered",
    "AlwaysEagerIgnored",
    "BackendError",
    "BackendGetMetaError",
    "BackendStoreError",
    "CDeprecationWarning",
    "CPendingDeprecationWarning",
    "CeleryCommandException",
    "CeleryError",
    "CeleryWarning",
    "ChordError",
    "ContentDisallowed",
    "DeliveryLimitExceeded",
    "DuplicateNodenameWarning",
    "DuplicateTaskNameWarning",
    "FixupWarning",
    "Ignore",
    "ImproperlyConfigured",
    "IncompleteStream",
    "InvalidTaskError",
    "MaxRetriesExceededError",
    "NotConfigured",
    "NotRegistered",
    "OperationalError",
    "PluginConflict",
    "PluginError",
    "PluginLoadError",
    "PluginNotFound",
    "PluginWarning",
    "ProtocolError",
    "QueueNotFound",
    "Reject",
    "Retry",
    "SecurityError",
    "SecurityWarning",
    "SerializationError",
    "SoftTimeLimitExceeded",
    "StoreUnavailable",
    "TaskError",
    "TaskPredicate",
    "TaskRevokedError",
    "Terminated",
    "TimeLimitExceeded",
    "TimeoutError",
    "WorkerLostError",
    "WorkerShutdown",
    "WorkerTerminate",
    "reraise",
]


def __getattr__(name: str) -> Any:
    if name == "OperationalError":  # Kombu's own class, so that one except clause serves both
        from kombu.exceptions import OperationalError

        return OperationalError
    if name in _MADE:
        globals()[name] = _MADE[name]()
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _command_exception() -> type[Exception]:
    """The class, made when it is first asked for: click, whose errors it is one of, is loaded by commands alone."""
    from click import ClickException

    class CeleryCommandException(ClickException):
        """A command of the command line failed; `exit_code` is the process's."""

        def __init__(self, message: str, exit_code: int) -> None:
            super().__init__(message)
            self.exit_code = exit_code  # type: ignore[misc]  # click looks at the instance all the same

        def __reduce__(self) -> Any:
            return type(self), (self.message, self.exit_code)

    CeleryCommandException.__qualname__ = CeleryCommandException.__name__
    return CeleryCommandException


def _content_disallowed() -> type[Exception]:
    """The class, made when it is first asked for: Kombu, whose errors it is one of, is loaded by those who send."""
    from kombu.exceptions import ContentDisallowed as KombuContentDisallowed

    class ContentDisallowed(SecurityError, KombuContentDisallowed):
        """Content of a type that the settings do not accept was refused."""

    ContentDisallowed.__qualname__ = ContentDisallowed.__name__
    return ContentDisallowed


_MADE: Final = {"CeleryCommandException": _command_exception, "ContentDisallowed": _content_disallowed}


def reraise(tp: type[BaseException], value: BaseException, tb: Any = None) -> NoReturn:  # noqa: ARG001  # as Celery's
    """Raise `value` with traceback `tb`; `tp` is accepted for the sake of old callers."""
    if value.__traceback__ is not tb:
        raise value.with_traceback(tb)
    raise value


class CeleryError(Exception):
    """Something went wrong in the task queue."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*(args or (self._default_message(),)))

    @classmethod
    def _default_message(cls) -> str:
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]


# -- warnings -------------------------------------------------------------------------------------


class CeleryWarning(UserWarning):
    """Base of all warnings of Celeriac."""


class AlwaysEagerIgnored(CeleryWarning):
    """send_task ignores task_always_eager, because a task sent by name is not known here."""


class DuplicateNodenameWarning(CeleryWarning):
    """Several workers answer to the same node name."""


class DuplicateTaskNameWarning(CeleryWarning):
    """Two different functions were registered under one task name."""


class FixupWarning(CeleryWarning):
    """A framework's integration found something that wants attention."""


class NotConfigured(CeleryWarning):
    """No configuration was found; defaults are used."""


class PluginWarning(CeleryWarning):
    """A plugin that was found automatically could not be used; all others work."""


class SecurityWarning(CeleryWarning):
    """The configuration works, but lets in more than it should."""


class CDeprecationWarning(DeprecationWarning):
    """A feature that will go away."""


class CPendingDeprecationWarning(PendingDeprecationWarning):
    """A feature that will be deprecated."""


# -- what a task says about its own fate ----------------------------------------------------------


class TaskPredicate(CeleryError):
    """A task ended in a way that is not an error."""


class Retry(TaskPredicate):
    """The task is to be tried again."""

    message: str | None
    exc: BaseException | None
    when: Any

    def __init__(
        self,
        message: str | None = None,
        exc: BaseException | str | None = None,
        when: Any = None,
        is_eager: bool = False,
        sig: Any = None,
        **kwargs: Any,
    ) -> None:
        self.message = message
        self.excs: str | None
        if isinstance(exc, str):
            self.exc, self.excs = None, str(exc)
        else:
            self.exc, self.excs = exc, None if exc is None else repr(exc)
        self.when = when
        self.is_eager = is_eager
        self.sig = sig
        super().__init__(message, exc, when)

    def humanize(self) -> str:
        """When the next try is due, in words."""
        if isinstance(self.when, (int, float)):
            return f"in {self.when}s"
        return f"at {self.when}"

    def __str__(self) -> str:
        if self.message:
            return self.message
        if self.excs:
            return f"Retry {self.humanize()}: {self.excs}"
        return f"Retry {self.humanize()}"


class Ignore(TaskPredicate):
    """The task asked that its state be left as it is."""


class Reject(TaskPredicate):
    """The task asked that its message be rejected."""

    def __init__(self, reason: Any = None, requeue: bool = False) -> None:
        self.reason = reason
        self.requeue = requeue
        super().__init__(reason, requeue)

    def __repr__(self) -> str:
        return f"reject requeue={self.requeue}: {self.reason}"


# -- what goes wrong with tasks -------------------------------------------------------------------


class TaskError(CeleryError):
    """Something is wrong with a task."""


class AlreadyRegistered(TaskError):
    """A task of that name is registered already."""


class ChordError(TaskError):
    """A task of the chord's header failed, or the results could not be joined."""


class IncompleteStream(TaskError):
    """The end of a stream was not found."""


class InvalidTaskError(TaskError):
    """The task message is malformed."""


class MaxRetriesExceededError(TaskError):
    """The task failed more often than its max_retries allows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.task_args = kwargs.pop("task_args", ())
        self.task_kwargs = kwargs.pop("task_kwargs", {})
        super().__init__(*args)


class NotRegistered(KeyError, TaskError):
    """The task is not registered in this process."""

    def __init__(self, *args: Any) -> None:
        Exception.__init__(self, *args)

    def __repr__(self) -> str:
        given = str(self)
        if " " in given:  # an explanation, as opposed to the bare name that a Celery worker sends
            return f"{type(self).__name__}({given!r})"
        return f"Task of kind {given} never registered, please make sure it's imported."

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else self._default_message()


class QueueNotFound(KeyError, TaskError):
    """The queue is not configured, and task_create_missing_queues is off."""

    def __init__(self, *args: Any) -> None:
        Exception.__init__(self, *args)

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else self._default_message()


class TaskRevokedError(TaskError):
    """The task was revoked."""


class TimeoutError(TaskError):
    """The operation timed out."""


class SoftTimeLimitExceeded(Exception):
    """The soft time limit of the task has passed; it may clean up now."""

    def __str__(self) -> str:
        return f"SoftTimeLimitExceeded{self.args!r}"


class DeliveryLimitExceeded(TaskError):
    """The message of the task has been delivered as often as max_deliveries allows, and never ran to an end."""


class TimeLimitExceeded(Exception):
    """The hard time limit of the task has passed, and its process was stopped."""

    def __str__(self) -> str:
        return f"TimeLimitExceeded{self.args!r}"


class WorkerLostError(Exception):
    """The process that ran the task died before the task had ended."""


class Terminated(Exception):
    """The process that ran the task was terminated on request."""


# -- messages and content -------------------------------------------------------------------------


class ProtocolError(CeleryError):
    """A message is not what the protocol says."""


class SerializationError(CeleryError, TypeError):
    """A value cannot be put into a message with the serializer in use."""


class SecurityError(CeleryError):
    """Content or a message that must not be trusted was refused."""


# -- configuration, plugins, stores, commands -----------------------------------------------------


class ImproperlyConfigured(CeleryError):
    """The configuration is not usable."""


class PluginError(ImproperlyConfigured):
    """A plugin cannot be used."""


class PluginNotFound(PluginError):
    """No installed plugin answers to that name."""


class PluginConflict(PluginError):
    """Two distributions offer different things under one name."""


class PluginLoadError(PluginError):
    """A plugin was found but could not be loaded."""


class BackendError(Exception):
    """The result store could not do what was asked."""


class BackendGetMetaError(BackendError):
    """A result could not be read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.task_id = kwargs.get("task_id", "")
        super().__init__(*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()} task_id:{self.task_id}"


class BackendStoreError(BackendError):
    """A result could not be written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state = kwargs.get("state", "")
        self.task_id = kwargs.get("task_id", "")
        super().__init__(*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()} state:{self.state} task_id:{self.task_id}"


class StoreUnavailable(BackendError):
    """The result store cannot be reached."""


class WorkerTerminate(SystemExit):
    """Stops the worker at once."""


class WorkerShutdown(SystemExit):
    """Stops the worker after it has finished what runs."""
