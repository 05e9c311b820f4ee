"""What the events of a cluster say of its tasks and workers, in memory that is bounded."""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, ClassVar, TypeAlias
from weakref import WeakSet, ref

from kombu.clocks import timetuple
from kombu.utils.functional import LRUCache

from celeriac.events.event import group_from
from celeriac.events.task import TASK_EVENT_TO_STATE, Task
from celeriac.events.worker import (
    HEARTBEAT_DRIFT_MAX,
    HEARTBEAT_EXPIRE_WINDOW,
    Worker,
    heartbeat_expires,
)

__all__ = [
    "HEARTBEAT_DRIFT_MAX",
    "HEARTBEAT_EXPIRE_WINDOW",
    "TASK_EVENT_TO_STATE",
    "State",
    "Task",
    "TaskIndex",
    "Worker",
    "heartbeat_expires",
]

Event = dict[str, Any]
#: In `State` the names themselves are attributes.
AnyTask: TypeAlias = Task
AnyWorker: TypeAlias = Worker
#: An id and its task.
Pair: TypeAlias = tuple[str, Task]


class TaskIndex(dict[Any, "WeakSet[Task]"]):
    """Tasks by something they share, as long as they are in memory: ``index[key]`` is a set.

    Called, ``index(key, limit=None, reverse=True)``, it gives pairs of id and task, the latest first.
    """

    def __init__(self, find: Callable[..., Iterator[Pair]]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: Any) -> WeakSet[Task]:
        found: WeakSet[Task] = WeakSet()
        self[key] = found
        return found

    def __call__(self, key: Any, limit: int | None = None, reverse: bool = True) -> Iterator[Pair]:
        """The tasks of one key, ordered by time."""
        return self._find(key, limit, reverse)


class State:
    """A picture of a cluster, kept by `event`.  Safe to use from several threads.

    `callback(state, event)` is called before each event is taken in; `on_node_join(worker)` and
    `on_node_leave(worker)` when a worker comes and goes.  Of more than `max_tasks_in_memory` tasks the one that was
    not touched for longest is forgotten, of workers likewise.
    """

    Worker = Worker
    Task = Task
    #: How many places in the order of time are kept for each task before old ones are looked for.
    heap_multiplier: ClassVar[int] = 4
    event_count = 0
    task_count = 0

    def __init__(
        self,
        callback: Callable[[State, Event], Any] | None = None,
        workers: Any = None,
        tasks: Any = None,
        taskheap: list[Any] | None = None,
        max_workers_in_memory: int = 5000,
        max_tasks_in_memory: int = 10000,
        on_node_join: Callable[[AnyWorker], Any] | None = None,
        on_node_leave: Callable[[AnyWorker], Any] | None = None,
        tasks_by_type: Any = None,
        tasks_by_worker: Any = None,
    ) -> None:
        self.event_callback = callback
        self.max_workers_in_memory = max_workers_in_memory
        self.max_tasks_in_memory = max_tasks_in_memory
        self.on_node_join = on_node_join
        self.on_node_leave = on_node_leave
        #: By node name.
        self.workers: LRUCache = LRUCache(max_workers_in_memory)
        #: By id.
        self.tasks: LRUCache = LRUCache(max_tasks_in_memory)
        self.tasks_by_type = TaskIndex(self._tasks_by_type)
        self.tasks_by_worker = TaskIndex(self._tasks_by_worker)
        self._seen_types: set[str] = set()
        #: Children whose parents have not been heard of, by the parents' ids.
        self._orphans: LRUCache = LRUCache(max_tasks_in_memory)
        self._max_taskheap = max(max_tasks_in_memory, 1) * self.heap_multiplier
        self._taskheap: list[timetuple] = list(taskheap or ())
        self._mutex = threading.RLock()
        for name, worker in dict(workers or {}).items():
            self.workers[name] = worker
        for uuid, task in dict(tasks or {}).items():
            self.tasks[uuid] = task
            self._adopt(task)
        if not self._taskheap:
            self.rebuild_taskheap()

    def __repr__(self) -> str:
        return f"<State: events={self.event_count} tasks={self.task_count}>"

    def __reduce__(self) -> Any:
        return type(self), self.__reduce_args__()

    def __reduce_args__(self) -> tuple[Any, ...]:
        with self._mutex:
            return (
                self.event_callback,
                dict(self.workers.data),
                dict(self.tasks.data),
                None,
                self.max_workers_in_memory,
                self.max_tasks_in_memory,
                self.on_node_join,
                self.on_node_leave,
            )

    def _adopt(self, task: AnyTask) -> None:
        """A task that was made elsewhere becomes one of this state's."""
        task.cluster_state = self
        if task.name is not None:
            self._name_known(task)
        if task.worker is not None:
            task.worker = self.workers.data.get(task.worker.hostname, task.worker)
            self.tasks_by_worker[task.worker.hostname].add(task)
        task.children.update(self._orphans.pop(task.uuid, ()))
        self._parent_known(task)

    # -- what comes in ------------------------------------------------------------------------------------------------

    def event(self, event: Event) -> Any:
        """Take in one event, a map with `type` and the fields of the protocol.

        Gives ``((worker or task, whether it is new), type without its group)``, None for other groups.
        """
        with self._mutex:
            return self._event(event)

    def _event(self, event: Event) -> Any:
        self.event_count += 1
        if self.event_callback is not None:
            self.event_callback(self, event)
        group = group_from(event["type"])
        _, _, subject = event["type"].partition("-")
        hostname = event.get("hostname")
        if type(hostname) is not str or not subject:
            return None
        fields = {name: value for name, value in event.items() if name not in {"type", "uuid"}}
        if group == "worker":
            return self._worker_event(subject, hostname, fields), subject
        if group == "task" and type(event.get("uuid")) is str:
            return self._task_event(subject, event["uuid"], hostname, fields), subject
        return None

    def worker_event(self, type_: str, fields: dict[str, Any]) -> tuple[AnyWorker, bool]:
        """Take in an event of a worker, its type without the ``worker-``."""
        found: tuple[AnyWorker, bool] = self.event({**fields, "type": f"worker-{type_}"})[0]
        return found

    def task_event(self, type_: str, fields: dict[str, Any]) -> tuple[AnyTask, bool]:
        """Take in an event of a task, its type without the ``task-``."""
        found: tuple[AnyTask, bool] = self.event({**fields, "type": f"task-{type_}"})[0]
        return found

    def _worker_event(self, subject: str, hostname: str, fields: dict[str, Any]) -> tuple[AnyWorker, bool]:
        worker, created = self.get_or_create_worker(hostname)
        worker.event(subject, fields.get("timestamp"), fields.get("local_received") or time.time(), fields)
        if subject == "offline":
            if self.on_node_leave is not None:
                # Who wants to know keeps account of those that are there.
                self.workers.pop(hostname, None)
                self.on_node_leave(worker)
        elif self.on_node_join is not None and (created or subject == "online"):
            self.on_node_join(worker)
        return worker, created

    def _task_event(self, subject: str, uuid: str, hostname: str, fields: dict[str, Any]) -> tuple[AnyTask, bool]:
        task, created = self.get_or_create_task(uuid)
        if subject == "sent":
            task.client = hostname
        else:
            self._run_by(task, hostname, fields)
        timestamp, clock = fields.get("timestamp") or 0, fields.get("clock") or 0
        if clock:
            task.clock = max(task.clock, clock)
        self._note_time(task, clock, timestamp)
        had_name, had_parent = task.name, task.parent_id
        for taken in ("hostname", "clock", "timestamp"):
            fields.pop(taken, None)
        task.event(subject, timestamp, fields.pop("local_received", None), fields)
        if subject == "received":
            self.task_count += 1
        if task.name is not None and task.name != had_name:
            self._name_known(task)
        if task.parent_id and not had_parent:
            self._parent_known(task)
        return task, created

    def _run_by(self, task: AnyTask, hostname: str, fields: dict[str, Any]) -> None:
        worker, _ = self.get_or_create_worker(hostname)
        if task.worker is not worker:
            if task.worker is not None and task.worker.hostname != hostname:
                self.tasks_by_worker[task.worker.hostname].discard(task)
            task.worker = worker
            self.tasks_by_worker[worker.hostname].add(task)
        if fields.get("timestamp"):
            worker.event(None, fields["timestamp"], fields.get("local_received"), None)

    def _name_known(self, task: AnyTask) -> None:
        self._seen_types.add(task.name or "")
        self.tasks_by_type[task.name].add(task)

    def _parent_known(self, task: AnyTask) -> None:
        parent = task.parent
        if parent is not None:
            parent.children.add(task)
        elif task.parent_id is not None:
            self._orphans.setdefault(task.parent_id, WeakSet()).add(task)

    def _note_time(self, task: AnyTask, clock: int, timestamp: float) -> None:
        heap = self._taskheap
        if len(heap) + 1 > self._max_taskheap:
            self._compact()
        place = timetuple(clock, timestamp, task.origin or "", ref(task))
        if not heap or place > heap[-1]:
            heap.append(place)
        else:
            insort(heap, place)

    def get_or_create_worker(self, hostname: str, **kwargs: Any) -> tuple[AnyWorker, bool]:
        """The worker of that name, with these fields set; and whether it was not known before."""
        with self._mutex:
            found = self.workers.data.get(hostname)
            if found is not None:
                if kwargs:
                    found.update(kwargs)
                return self.workers[hostname], False
            made = self.workers[hostname] = self.Worker(hostname, **kwargs)
            return made, True

    def get_or_create_task(self, uuid: str) -> tuple[AnyTask, bool]:
        """The task of that id; and whether it was not known before."""
        with self._mutex:
            if uuid in self.tasks.data:
                return self.tasks[uuid], False
            made = self.tasks[uuid] = self.Task(uuid, cluster_state=self, children=self._orphans.pop(uuid, ()))
            return made, True

    # -- what is known ------------------------------------------------------------------------------------------------

    def freeze_while(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What ``fun(*args, **kwargs)`` gives, called while no event is taken in.

        With ``clear_after=True`` the tasks that have ended are forgotten when it has returned.
        """
        clear_after = kwargs.pop("clear_after", False)
        with self._mutex:
            result = fun(*args, **kwargs)
            if clear_after:
                self._clear_tasks(ready=True)
            return result

    def alive_workers(self) -> Iterator[AnyWorker]:
        """The workers that were heard of lately."""
        with self._mutex:
            return iter([worker for worker in self.workers.data.values() if worker.alive])

    def task_types(self) -> list[str]:
        """The names of all tasks that were heard of, sorted."""
        with self._mutex:
            return sorted(self._seen_types)

    def itertasks(self, limit: int | None = None) -> Iterator[Pair]:
        """Pairs of id and task, in the order in which they were last touched, `limit` at most."""
        with self._mutex:
            return iter(list(islice(self.tasks.data.items(), limit or None)))

    def tasks_by_time(self, limit: int | None = None, reverse: bool = True) -> Iterator[Pair]:
        """Pairs of id and task by the time of their last event, the latest first unless `reverse` is off."""
        return self._by_time(_any, limit, reverse)

    tasks_by_timestamp = tasks_by_time

    def _tasks_by_type(self, name: str, limit: int | None = None, reverse: bool = True) -> Iterator[Pair]:
        return self._by_time(lambda task: task.name == name, limit, reverse)

    def _tasks_by_worker(self, hostname: str, limit: int | None = None, reverse: bool = True) -> Iterator[Pair]:
        def is_there(task: AnyTask) -> bool:
            return task.worker is not None and task.worker.hostname == hostname

        return self._by_time(is_there, limit, reverse)

    def _by_time(self, wanted: Callable[[AnyTask], bool], limit: int | None, reverse: bool) -> Iterator[Pair]:
        """A task stands in the order where its last event is, so it is found from the end."""
        found: list[Pair] = []
        seen: set[str] = set()
        with self._mutex:
            for place in reversed(self._taskheap):
                task = place.obj()
                if task is None or task.uuid in seen or task.uuid not in self.tasks.data:
                    continue
                seen.add(task.uuid)
                if wanted(task):
                    found.append((task.uuid, task))
                    if reverse and limit and len(found) == limit:
                        break
        if not reverse:
            found.reverse()
            found = found[: limit or None]
        return iter(found)

    # -- memory -------------------------------------------------------------------------------------------------------

    def rebuild_taskheap(self, timetuple: Callable[..., Any] = timetuple) -> None:
        """Put the tasks in order anew, by the last that was heard of each."""
        with self._mutex:
            self._taskheap[:] = sorted(
                timetuple(task.clock, task.timestamp or 0, task.origin or "", ref(task))
                for task in self.tasks.data.values()
            )

    def _compact(self) -> None:
        """Keep one place for each task that is still in memory, its last; forget empty names."""
        kept: list[timetuple] = []
        seen: set[int] = set()
        for place in reversed(self._taskheap):
            task = place.obj()
            if task is not None and id(task) not in seen:
                seen.add(id(task))
                kept.append(place)
        self._taskheap[:] = reversed(kept)
        for index in (self.tasks_by_type, self.tasks_by_worker):
            for key in [key for key, tasks in index.items() if not tasks]:
                del index[key]
        self._seen_types.intersection_update(self.tasks_by_type)

    def clear_tasks(self, ready: bool = True) -> None:
        """Forget the tasks that have ended; with `ready` off, all."""
        with self._mutex:
            self._clear_tasks(ready)

    def clear(self, ready: bool = True) -> None:
        """Forget the tasks as `clear_tasks` does, the workers, and the counts."""
        with self._mutex:
            self._clear(ready)

    def _clear(self, ready: bool) -> None:
        self.workers.clear()
        self._clear_tasks(ready)
        self.event_count = self.task_count = 0

    def _clear_tasks(self, ready: bool) -> None:
        kept: Iterable[Pair] = ()
        if ready:
            kept = [(uuid, task) for uuid, task in self.tasks.data.items() if not task.ready]
        self.tasks.clear()
        self.tasks.update(kept)
        self._taskheap[:] = [
            place for place in self._taskheap if (task := place.obj()) and task.uuid in self.tasks.data
        ]


def _any(_: Task) -> bool:
    return True
