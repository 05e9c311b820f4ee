"""Questions to workers: ``app.control.inspect()``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from celeriac.app.replies import flatten_reply

if TYPE_CHECKING:
    from celeriac.app.base import Celery

#: Node name to answer; None where nobody has answered in time.
Answers = dict[str, Any] | None


class Inspect:
    """Each method asks the workers and gives a map from node name to answer, or None where nobody answers.

    `destination` (node names), `timeout` (seconds to wait for each further answer), `callback` (called with each),
    `limit` (answers to wait for), `pattern` and `matcher` are those of `Control.broadcast`.  With one node name in
    place of a list, the answer of that node alone is given.
    """

    app: Celery | None = None

    def __init__(
        self,
        destination: str | Sequence[str] | None = None,
        timeout: float | None = 1.0,
        callback: Callable[[dict[str, Any]], Any] | None = None,
        connection: Any = None,
        app: Celery | None = None,
        limit: int | None = None,
        pattern: str | None = None,
        matcher: str | None = None,
    ) -> None:
        if app is not None or self.app is None:
            from celeriac.app.current import get_current_app

            self.app = app or get_current_app()
        self.destination = destination
        self.timeout = timeout
        self.callback = callback
        self.connection = connection
        self.limit = limit
        self.pattern = pattern
        self.matcher = matcher

    def __reduce_args__(self) -> tuple[Any, ...]:
        return self.destination, self.timeout, None, None, None, self.limit, self.pattern, self.matcher

    def _request(self, command: str, **kwargs: Any) -> Answers:
        return self._ask(self.destination, command, kwargs)

    def _ask(self, destination: str | Sequence[str] | None, command: str, arguments: Mapping[str, Any]) -> Answers:
        assert self.app is not None
        replies = self.app.control.broadcast(
            command,
            arguments=arguments,
            destination=[destination] if isinstance(destination, str) else destination,
            callback=self.callback,
            connection=self.connection,
            limit=self.limit,
            timeout=self.timeout,
            reply=True,
            pattern=self.pattern,
            matcher=self.matcher,
        )
        if not replies:
            return None
        answers = flatten_reply(replies)
        return answers.get(destination) if isinstance(destination, str) else answers

    # -- tasks --------------------------------------------------------------------------------------------------------

    def active(self, safe: bool | None = None) -> Answers:
        """Tasks that run now: lists of maps with id, name, args, kwargs (as text), time_start, worker_pid and more."""
        return self._request("active", safe=safe)

    def reserved(self, safe: bool | None = None) -> Answers:
        """Tasks that a worker has taken and not begun."""
        return self._request("reserved", safe=safe)

    def scheduled(self, safe: bool | None = None) -> Answers:
        """Tasks that wait for their time in workers: lists of maps with eta, priority, request.

        Empty where the broker holds them back until they are due: ``celeriac queues`` counts those.
        """
        return self._request("scheduled", safe=safe)

    def query_task(self, *ids: str | Sequence[str]) -> Answers:
        """What becomes of tasks, by id: maps from id to ``[state, request]``, of those that the worker has."""
        wanted = ids[0] if len(ids) == 1 and not isinstance(ids[0], str) else ids
        return self._request("query_task", ids=list(wanted))

    def revoked(self) -> Answers:
        """Lists of the ids of revoked tasks."""
        return self._request("revoked")

    def registered(self, *taskinfoitems: str) -> Answers:
        """Lists of the tasks that workers know; `taskinfoitems` are attributes of theirs to show as well."""
        return self._request("registered", taskinfoitems=list(taskinfoitems))

    registered_tasks = registered

    # -- workers ------------------------------------------------------------------------------------------------------

    def ping(self, destination: Sequence[str] | None = None) -> Answers:
        """Ask who is there; answers are ``{"ok": "pong"}``."""
        return self._ask(destination or self.destination, "ping", {})

    def stats(self) -> Answers:
        """Figures: tasks run by name, process id, uptime, prefetch, pool, broker, resources used."""
        return self._request("stats")

    def report(self) -> Answers:
        """What ``celeriac report`` says there."""
        return self._request("report")

    def conf(self, with_defaults: bool = False) -> Answers:
        """The settings, without secrets: those that were set, or all `with_defaults`."""
        return self._request("conf", with_defaults=with_defaults)

    def active_queues(self) -> Answers:
        """The queues that workers listen to."""
        return self._request("active_queues")

    def clock(self) -> Answers:
        """The logical clocks."""
        return self._request("clock")

    def hello(self, from_node: str, revoked: Any = None) -> Answers:
        """Tell workers of a new one, which has these revoked ids, and learn theirs."""
        return self._request("hello", from_node=from_node, revoked=revoked)

    # -- memory -------------------------------------------------------------------------------------------------------

    def memsample(self) -> Answers:
        """Note how much memory the workers use now, for `memdump`."""
        return self._request("memsample")

    def memdump(self, samples: int = 10) -> Answers:
        """What `memsample` has noted."""
        return self._request("memdump", samples=samples)

    def objgraph(self, type: str = "Request", n: int = 200, max_depth: int = 10) -> Answers:
        """Draw who holds objects of a type; needs the package objgraph there."""
        return self._request("objgraph", num=n, max_depth=max_depth, type=type)
