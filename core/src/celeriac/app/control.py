"""Remote control: commands to the workers of an app, and what they answer.  ``app.control``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from celeriac.app.inspecting import Inspect
from celeriac.app.mailbox import AppMailbox, mailbox_of
from celeriac.app.names import symbol
from celeriac.app.replies import flatten_reply

if TYPE_CHECKING:
    from celeriac.app.base import Celery

__all__ = ["Control", "Inspect", "flatten_reply"]

TERM_SIGNAME: Final = "SIGTERM"

#: What the methods give: None, or with ``reply=True`` a list of maps from node name to answer.
Replies = list[dict[str, Any]] | None


class Control:
    """Commands to workers.

    All of them go to every worker, or to the node names in `destination`, or to those whose name fits `pattern`
    (`matcher` says how: ``"glob"`` or ``"pcre"``).  With ``reply=True`` they wait for answers: up to `timeout` seconds
    for each further one, and for no more than `limit` (default: as many as `destination` has, or as there are workers,
    where the broker knows that).  `callback` is called with each answer.  All raise
    `kombu.exceptions.OperationalError` when the broker cannot be reached.
    """

    #: The class of `mailbox`.
    Mailbox: type[AppMailbox] = AppMailbox

    def __init__(self, app: Celery | None = None) -> None:
        if app is None:
            from celeriac.app.current import get_current_app

            app = get_current_app()
        self.app: Celery = app

    @cached_property
    def mailbox(self) -> AppMailbox:
        """Where commands are posted, as Kombu has it."""
        return mailbox_of(self.app, self.Mailbox)

    @cached_property
    def inspect(self) -> type[Inspect]:
        """Questions to workers, as in ``app.control.inspect(timeout=2).active()``."""
        return self.app.subclass_with_self(Inspect, reverse="control.inspect")

    # -- sending ------------------------------------------------------------------------------------------------------

    def broadcast(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        destination: Sequence[str] | None = None,
        connection: Any = None,
        reply: bool = False,
        timeout: float | None = 1.0,
        limit: int | None = None,
        callback: Callable[[dict[str, Any]], Any] | None = None,
        channel: Any = None,
        pattern: str | None = None,
        matcher: str | None = None,
        **extra_kwargs: Any,
    ) -> Replies:
        """Send a command with `arguments` (and `extra_kwargs`, which win); see the class for the other parameters.

        Raises ValueError for a `destination` that is no list.
        """
        if isinstance(destination, str):
            raise ValueError(f"destination must be a list of node names, not {destination!r}")  # noqa: TRY004  # as Celery
        given = {**(arguments or {}), **extra_kwargs}
        if pattern is not None and matcher is None:
            matcher = "glob"  # a worker heeds a pattern only where it is told how to match
        with self.app.connection_or_acquire(connection) as used:
            used.ensure_connection(**_patience(self.app.conf.task_publish_retry_policy))
            mailbox = self.mailbox(used)
            # Kombu's other methods take no pattern.
            send = mailbox.broadcast_and_wait if reply else mailbox._broadcast
            answers: Replies = send(
                command,
                given,
                destination=None if destination is None else list(destination),
                timeout=timeout,
                limit=limit,
                callback=callback,
                channel=channel,
                pattern=pattern,
                matcher=matcher,
            )
        return answers

    # -- tasks --------------------------------------------------------------------------------------------------------

    def revoke(
        self,
        task_id: str | Sequence[str],
        destination: Sequence[str] | None = None,
        terminate: bool = False,
        signal: str | int = TERM_SIGNAME,
        **kwargs: Any,
    ) -> Replies:
        """Have a task, or several by a list of ids, not run.

        One that runs already goes on, unless `terminate`: then its process is sent `signal`, and replaced.
        """
        return self.broadcast(
            "revoke",
            destination=destination,
            arguments={"task_id": _ids(task_id), "terminate": terminate, "signal": signal},
            **kwargs,
        )

    def revoke_by_stamped_headers(
        self,
        headers: Mapping[str, Any],
        destination: Sequence[str] | None = None,
        terminate: bool = False,
        signal: str | int = TERM_SIGNAME,
        **kwargs: Any,
    ) -> Replies:
        """Have all tasks not run that carry one of these stamps: name to value, or to a list of values."""
        return self.broadcast(
            "revoke_by_stamped_headers",
            destination=destination,
            arguments={"headers": dict(headers), "terminate": terminate, "signal": signal},
            **kwargs,
        )

    def terminate(
        self,
        task_id: str | Sequence[str],
        destination: Sequence[str] | None = None,
        signal: str | int = TERM_SIGNAME,
        **kwargs: Any,
    ) -> Replies:
        """Revoke a task, or several, also where they run already."""
        return self.revoke(task_id, destination=destination, terminate=True, signal=signal, **kwargs)

    def rate_limit(
        self, task_name: str, rate_limit: str | float, destination: Sequence[str] | None = None, **kwargs: Any
    ) -> Replies:
        """Run a task no more often than ``"10/s"``, ``"100/m"``, ``"5/h"`` or so many a second; 0 lifts the limit.

        The limit is each worker's own.
        """
        return self.broadcast(
            "rate_limit",
            destination=destination,
            arguments={"task_name": task_name, "rate_limit": rate_limit},
            **kwargs,
        )

    def time_limit(
        self,
        task_name: str,
        soft: float | None = None,
        hard: float | None = None,
        destination: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Replies:
        """Set the time limits, in seconds, of calls of a task that state none of their own; None: no limit."""
        return self.broadcast(
            "time_limit",
            destination=destination,
            arguments={"task_name": task_name, "hard": hard, "soft": soft},
            **kwargs,
        )

    # -- queues -------------------------------------------------------------------------------------------------------

    def add_consumer(
        self,
        queue: str,
        exchange: str | None = None,
        exchange_type: str = "direct",
        routing_key: str | None = None,
        options: Mapping[str, Any] | None = None,
        destination: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Replies:
        """Have workers listen to one more queue; `options` are those of a `kombu.Queue`."""
        return self.broadcast(
            "add_consumer",
            destination=destination,
            arguments={
                **(options or {}),
                "queue": queue,
                "exchange": exchange,
                "exchange_type": exchange_type,
                "routing_key": routing_key,
            },
            **kwargs,
        )

    def cancel_consumer(self, queue: str, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies:
        """Have workers stop listening to a queue."""
        return self.broadcast("cancel_consumer", destination=destination, arguments={"queue": queue}, **kwargs)

    def pause_queue(self, queue: str, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies:
        """Have workers that listen to a queue take nothing from it until `resume_queue`; what they hold is run."""
        return self.broadcast("pause_queue", destination=destination, arguments={"queue": queue}, **kwargs)

    def resume_queue(self, queue: str, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies:
        """Undo `pause_queue`."""
        return self.broadcast("resume_queue", destination=destination, arguments={"queue": queue}, **kwargs)

    def purge(self, connection: Any = None) -> int:
        """Remove all messages that wait in the queues of the app, and give their number.  There is no undo."""
        discard = symbol("celeriac.worker.purging:discard_messages")
        count: int = discard(self.app, self.app.amqp.queues.consume_from.values(), connection)
        return count

    discard_all = purge

    # -- workers ------------------------------------------------------------------------------------------------------

    def ping(self, destination: Sequence[str] | None = None, timeout: float = 1.0, **kwargs: Any) -> Replies:
        """Ask who is there: a list such as ``[{"celery@host": {"ok": "pong"}}]``."""
        return self.broadcast("ping", reply=True, arguments={}, destination=destination, timeout=timeout, **kwargs)

    def shutdown(self, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies:
        """Have workers finish what they run, and end."""
        return self.broadcast("shutdown", arguments={}, destination=destination, **kwargs)

    def pool_grow(self, n: int = 1, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies:
        """Let each worker run `n` tasks more at once."""
        return self.broadcast("pool_grow", arguments={"n": n}, destination=destination, **kwargs)

    def pool_shrink(self, n: int = 1, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies:
        """Let each worker run `n` tasks fewer at once."""
        return self.broadcast("pool_shrink", arguments={"n": n}, destination=destination, **kwargs)

    def pool_restart(
        self,
        modules: Sequence[str] | None = None,
        reload: bool = False,
        reloader: Any = None,
        destination: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Replies:
        """Replace the processes of the pool, which needs the setting ``worker_pool_restarts``.

        `modules` (default: those with tasks) are imported anew; `reload` reloads those that were imported before.
        """
        return self.broadcast(
            "pool_restart",
            arguments={"modules": modules, "reload": reload, "reloader": reloader},
            destination=destination,
            **kwargs,
        )

    def autoscale(self, max: int, min: int, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies:
        """Set the bounds between which workers that scale themselves do so."""
        return self.broadcast("autoscale", arguments={"max": max, "min": min}, destination=destination, **kwargs)

    # -- events -------------------------------------------------------------------------------------------------------

    def enable_events(self, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies:
        """Have workers send the events of their tasks."""
        return self.broadcast("enable_events", arguments={}, destination=destination, **kwargs)

    def disable_events(self, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies:
        """Have workers send the events of their tasks no more."""
        return self.broadcast("disable_events", arguments={}, destination=destination, **kwargs)

    def heartbeat(self, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies:
        """Have workers send a heartbeat now."""
        return self.broadcast("heartbeat", arguments={}, destination=destination, **kwargs)

    def election(self, id: str, topic: str, action: Any = None, connection: Any = None) -> None:
        """Have the workers elect the one that carries out `action`."""
        self.broadcast("election", connection=connection, arguments={"id": id, "topic": topic, "action": action})


def _ids(task_id: str | Sequence[str]) -> str | list[str]:
    return task_id if isinstance(task_id, str) else list(task_id)


def _patience(policy: Mapping[str, Any]) -> dict[str, Any]:
    """How often a broker that is away is tried: Kombu would for ever."""
    given = {name: policy[name] for name in ("interval_start", "interval_step", "interval_max") if name in policy}
    return {"max_retries": policy.get("max_retries", 3) or 0, **given}
