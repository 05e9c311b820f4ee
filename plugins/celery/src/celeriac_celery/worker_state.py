"""What the worker of this process has at this moment (``celery.worker.state``), and the two switches that stop it.

``should_stop`` and ``should_terminate`` are None; setting one to True or an exit code ends the worker as its signals
do.  All else is a picture of the moment at which it is asked for; the worker keeps its own books.
"""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final
from weakref import WeakSet

from kombu.utils.imports import symbol_by_name

from celeriac_celery.version import VERSION

SOFTWARE_INFO: Final = {
    "sw_ident": "py-celery",
    "sw_ver": ".".join(map(str, VERSION[:3])),
    "sw_sys": platform.system(),
}

#: The workers that this process has made.
workers: Final[WeakSet[Any]] = WeakSet()


def _consumers() -> Iterator[Any]:
    return (worker.consumer for worker in workers if hasattr(worker, "consumer"))


def _requests(kind: str) -> set[Any]:
    """The requests of what is ``active``, ``reserved`` or ``scheduled``."""
    request: Any = symbol_by_name("celeriac.worker.request:Request")
    found = set()
    for consumer in _consumers():
        jobs = getattr(symbol_by_name("celeriac.worker.panel.requests:Requests")(consumer), kind)
        found |= {request(job[0] if kind == "active" else job, consumer.app) for job in jobs}
    return found


class RevokedIds:
    """The ids of revoked tasks; what is added here does not run on the workers of this process."""

    def add(self, item: str) -> None:
        """Revoke a task."""
        self.update([item])

    def update(self, items: Any) -> None:
        """Revoke some."""
        for consumer in _consumers():
            consumer.state.revocations.add_ids(list(items))

    def discard(self, item: str) -> None:
        """Let a task run again."""
        for consumer in _consumers():
            consumer.state.revocations.ids.discard(item)

    def __contains__(self, item: object) -> bool:
        return any(item in consumer.state.revocations.ids for consumer in _consumers())

    def __iter__(self) -> Iterator[str]:
        return iter({each for consumer in _consumers() for each in consumer.state.revocations.ids})

    def __len__(self) -> int:
        return len([*self])


revoked: Final = RevokedIds()


def merge_revoked(task_ids: Any) -> None:
    """Revoke these."""
    revoked.update(task_ids)


def maybe_shutdown() -> None:
    """End the worker, where one of the switches says so.  Raises `WorkerShutdown` or `WorkerTerminate`."""
    for worker in workers:
        if worker.is_stopping():
            name = "WorkerTerminate" if worker.stop_requested.name == "COLD" else "WorkerShutdown"
            raise symbol_by_name(f"celeriac.exceptions:{name}")(worker.exit_code)


def _is_stopping(*how: str) -> int | None:
    """The exit code of a worker that ends, in one of these ways; None where none does."""
    return next((each.exit_code for each in workers if each.stop_requested.name in how), None)


def _stop(code: Any, at_once: bool = False) -> None:
    if code is None or code is False:
        return
    for worker in [*workers]:
        if code is not True:
            worker.exit_code = int(code)
        worker.terminate() if at_once else worker.stop()


class _State(ModuleType):
    """The module itself: some of its names are looked up, and some do what they say."""

    active_requests = property(lambda _: _requests("active"))
    reserved_requests = property(lambda _: _requests("active") | _requests("reserved"))
    scheduled_requests = property(lambda _: _requests("scheduled"))
    requests = property(lambda self: {each.id: each for each in self.reserved_requests | self.scheduled_requests})
    total_count = property(lambda _: sum((each.state.total for each in _consumers()), Counter()))
    all_total_count = property(lambda self: [self.total_count.total()])
    should_stop = property(lambda _: _is_stopping("WARM", "SOFT"), lambda _, code: _stop(code))
    should_terminate = property(lambda _: _is_stopping("COLD"), lambda _, code: _stop(code, at_once=True))


sys.modules[__name__].__class__ = _State

#: Properties of the module's class, and what else it has.
_NAMES: Final = ("active_requests", "reserved_requests", "scheduled_requests", "total_count")
__all__ = ["SOFTWARE_INFO", "maybe_shutdown", "merge_revoked", "revoked"]
__all__ += list(_NAMES)
