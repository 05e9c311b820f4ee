"""What a worker can tell of itself in figures: ``celeriac inspect stats``."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from celeriac.app.masking import masked

if TYPE_CHECKING:
    from celeriac.worker.boot import WorkController

_RESOURCES: Final = (
    *("utime", "stime", "maxrss", "ixrss", "idrss", "isrss", "minflt", "majflt", "nswap", "inblock", "oublock"),
    *("msgsnd", "msgrcv", "nsignals", "nvcsw", "nivcsw"),
)


def figures(worker: WorkController) -> dict[str, Any]:
    """Tasks that have ended by name, process id, uptime in seconds, clock, prefetch, broker, resources; what steps add.

    The resources are those of the main process: ``utime`` and ``stime`` in seconds, ``maxrss`` in KiB on Linux.
    """
    consumer = worker.consumer
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "total": dict(consumer.state.total),
        "pid": os.getpid(),
        "uptime": consumer.state.uptime,
        "clock": str(worker.app.clock),
        "prefetch_count": consumer.window.size + consumer.stock.spared,
        "broker": _broker(consumer.connection),
        "rusage": {name: getattr(usage, f"ru_{name}") for name in _RESOURCES},
        **worker.blueprint.info(worker),
    }


def _broker(connection: Any) -> dict[str, Any]:
    if connection is None:
        return {}
    info = dict(connection.info())
    info.pop("password", None)
    info["transport"] = connection.transport_cls.driver_type
    if "://" in str(info.get("hostname")):  # a transport that takes its URL apart itself
        url = urlsplit(info["hostname"])
        info.update(hostname=url.hostname, port=url.port or info["port"], virtual_host=url.path.strip("/") or "/")
    found: dict[str, Any] = masked(info)
    return found
