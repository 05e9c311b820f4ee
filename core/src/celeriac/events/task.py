"""A task as events show it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final
from weakref import WeakSet

from celeriac import states

if TYPE_CHECKING:
    from celeriac.events.state import State
    from celeriac.events.worker import Worker

__all__ = ["TASK_EVENT_TO_STATE", "Task"]

#: The state that an event puts a task into; any other event is a state of its own name.
TASK_EVENT_TO_STATE: Final = {
    "sent": states.PENDING,
    "received": states.RECEIVED,
    "started": states.STARTED,
    "failed": states.FAILURE,
    "retried": states.RETRY,
    "succeeded": states.SUCCESS,
    "revoked": states.REVOKED,
    "rejected": states.REJECTED,
}
#: The moments of a task, each the time of the event of that name.
_MOMENTS: Final = frozenset(TASK_EVENT_TO_STATE)


class Task:
    """What is known of one task; times are seconds since the epoch, by the clock of whoever told of them."""

    name: str | None = None
    received: float | None = None
    sent: float | None = None
    started: float | None = None
    rejected: float | None = None
    succeeded: float | None = None
    failed: float | None = None
    retried: float | None = None
    revoked: float | None = None
    args: str | None = None
    kwargs: str | None = None
    eta: str | None = None
    expires: str | None = None
    retries: int | None = None
    worker: Worker | None = None
    result: str | None = None
    exception: str | None = None
    timestamp: float | None = None
    runtime: float | None = None
    traceback: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    queue: str | None = None
    root_id: str | None = None
    parent_id: str | None = None
    client: str | None = None
    state: str = states.PENDING
    clock: int = 0

    _fields: ClassVar[tuple[str, ...]] = (
        "uuid",
        "name",
        "state",
        "received",
        "sent",
        "started",
        "rejected",
        "succeeded",
        "failed",
        "retried",
        "revoked",
        "args",
        "kwargs",
        "eta",
        "expires",
        "retries",
        "worker",
        "result",
        "exception",
        "timestamp",
        "runtime",
        "traceback",
        "exchange",
        "routing_key",
        "queue",
        "clock",
        "client",
        "root",
        "root_id",
        "parent",
        "parent_id",
        "children",
    )
    #: What `info` shows unless it is asked for other fields.
    _info_fields: ClassVar[tuple[str, ...]] = (
        "args",
        "kwargs",
        "retries",
        "result",
        "eta",
        "runtime",
        "expires",
        "exception",
        "exchange",
        "routing_key",
        "root_id",
        "parent_id",
    )
    #: What an event that comes too late to change the state still tells, by the state that it stands for.
    merge_rules: ClassVar[dict[str, tuple[str, ...]]] = {
        states.PENDING: ("name", "args", "kwargs", "parent_id", "root_id", "eta", "expires", "queue", "exchange"),
        states.RECEIVED: ("name", "args", "kwargs", "parent_id", "root_id", "retries", "eta", "expires"),
    }
    #: Fields that no event may set.
    _own: ClassVar[frozenset[str]] = frozenset(
        {"uuid", "state", "worker", "cluster_state", "children", "root", "parent", "client", "id", "ready", "origin"}
        | _MOMENTS
    )

    def __init__(
        self,
        uuid: str | None = None,
        cluster_state: State | None = None,
        children: Iterable[Task] | None = None,
        **kwargs: Any,
    ) -> None:
        self.uuid = uuid
        self.cluster_state = cluster_state
        #: Tasks that this one has called, as far as they are in memory.
        self.children: WeakSet[Task] = WeakSet(children or ())
        self.__dict__.update(kwargs)

    def __eq__(self, other: object) -> bool:
        return self.uuid == other.uuid if isinstance(other, Task) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.uuid)

    def __repr__(self) -> str:
        return f"<Task: {self.name}({self.uuid}) {self.state} clock:{self.clock}>"

    def __getstate__(self) -> dict[str, Any]:
        # The state that it is part of finds its children again.
        return {key: value for key, value in self.__dict__.items() if key not in {"cluster_state", "children"}}

    def __setstate__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields, cluster_state=None, children=WeakSet())

    # -- what comes in ------------------------------------------------------------------------------------------------

    def event(
        self,
        type_: str,
        timestamp: float | None = None,
        local_received: float | None = None,
        fields: dict[str, Any] | None = None,
    ) -> None:
        """Take in one event, its type without the ``task-``."""
        fields = fields or {}
        if type_ in _MOMENTS:
            setattr(self, type_, timestamp)
        state = TASK_EVENT_TO_STATE.get(type_, type_.upper())
        if self._is_late(state):
            wanted: Iterable[str] = [name for name in self.merge_rules.get(state, ()) if name in fields]
        else:
            # A task that has come back to its queue begins again, whatever it was before.
            self.state = state
            self.timestamp = timestamp
            wanted = fields
        for name in wanted:
            if name not in self._own and not name.startswith("_"):
                self.__dict__[name] = fields[name]

    def _is_late(self, state: str) -> bool:
        """Whether an event of this state was sent before what is known of the task already."""
        if states.RETRY in {state, self.state}:
            return False  # it may begin again
        return states.precedence(state) > states.precedence(self.state)

    def update(self, f: dict[str, Any] | None = None, **kw: Any) -> None:
        """Set fields by name."""
        self.__dict__.update(f or {}, **kw)

    # -- what is known ------------------------------------------------------------------------------------------------

    def info(self, fields: Iterable[str] | None = None, extra: Iterable[str] = ()) -> dict[str, Any]:
        """What is known of these fields and of the extra ones, the more telling ones unless asked for others."""
        names = [*(self._info_fields if fields is None else fields), *extra]
        found = {name: getattr(self, name, None) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """All fields, with other tasks by their ids."""
        found = {name: getattr(self, name) for name in self._fields}
        children = sorted(child.uuid or "" for child in self.children)
        return {**found, "children": children, "parent": self.parent_id, "root": self.root_id}

    @property
    def id(self) -> str | None:
        """The uuid."""
        return self.uuid

    @property
    def ready(self) -> bool:
        """Whether it has ended."""
        return self.state in states.READY_STATES

    @property
    def origin(self) -> str | None:
        """Who has sent it, where that was told; else the worker that runs it."""
        return self.client if self.worker is None else self.worker.id

    @property
    def parent(self) -> Task | None:
        """The task that called it, as far as it is in memory."""
        return self._found(self.parent_id)

    @property
    def root(self) -> Task | None:
        """The task that began the workflow, as far as it is in memory."""
        return self._found(self.root_id)

    def _found(self, uuid: str | None) -> Task | None:
        if uuid is None or self.cluster_state is None:
            return None
        return self.cluster_state.tasks.data.get(uuid)
