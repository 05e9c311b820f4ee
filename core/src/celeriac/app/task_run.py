"""What a task may ask of its own run: its request, another try, a successor, a state, an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from celeriac.app.context import Context
from celeriac.app.current import drop_running, get_request_of, get_requests_of, push_running
from celeriac.app.task_options import TaskOptions
from celeriac.exceptions import Ignore, ImproperlyConfigured, Retry

if TYPE_CHECKING:
    from celeriac.app.task import Task
    from celeriac.canvas.signature import Signature


class RequestStack:
    """The requests of one task in this context, that of the innermost run on top."""

    __slots__ = ("_task",)

    def __init__(self, task: Any) -> None:
        self._task = task

    def push(self, request: Context) -> None:
        """From now on, and until `pop`, the task counts as being run for `request`."""
        push_running(self._task, request)

    def pop(self) -> Context | None:
        """Take away the top; None where there is nothing."""
        return drop_running(self._task)

    @property
    def top(self) -> Context | None:
        """The request of the innermost run."""
        return get_request_of(self._task)

    @property
    def stack(self) -> list[Context]:
        """All of them."""
        return get_requests_of(self._task)

    def __len__(self) -> int:
        return len(self.stack)


class RunningTask(TaskOptions):
    """The part of a `Task` that the function itself calls."""

    #: The request outside of any run; made when asked for, because a user's ``__init__`` need not call ours.
    _direct: Context | None = None

    @property
    def _whole(self) -> Task[Any, Any]:
        """This task as what it is: every task is a `Task`."""
        return cast("Task[Any, Any]", self)

    @property
    def request(self) -> Context:
        """What is known of the message that called this task, in the context that runs it."""
        found = get_request_of(self)
        if found is None:
            found = self._direct
            if found is None:
                found = self._direct = Context(called_directly=True)
        return found

    @property
    def request_stack(self) -> RequestStack:
        """The requests of this task in this context."""
        return RequestStack(self)

    def push_request(self, *args: Any, **kwargs: Any) -> None:
        """Let the task count as being run, with these fields of a request; for tests."""
        self.request_stack.push(Context(*args, **kwargs))

    def pop_request(self) -> Context | None:
        """Undo the last `push_request`."""
        return self.request_stack.pop()

    def add_trail(self, result: Any) -> Any:
        """Note `result` among the children of the running task, unless its `trail` is off; gives `result`."""
        if self.trail:
            self.request.children.append(result)
        return result

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
        return self._whole.signature(
            request.args if args is None else args, request.kwargs if kwargs is None else kwargs, **options
        )

    subtask_from_request = signature_from_request

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
        self.app.results.of_task(self).store_state(task_id, state or "PENDING", meta, request=request)

    def send_event(
        self, type_: str, retry: bool = True, retry_policy: Mapping[str, Any] | None = None, **fields: Any
    ) -> Any:
        """Send an event of the user's own about the running task, such as ``task-progress``; `fields` go with it."""
        request = self.request
        with self.app.events.default_dispatcher(hostname=request.hostname) as dispatcher:
            return dispatcher.send(type_, uuid=request.id, retry=retry, retry_policy=retry_policy, **fields)
