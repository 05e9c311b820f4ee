"""Celeriac: a distributed task queue with Celery's API, on a kernel that knows only plugins.

Importing this loads nothing: each name is fetched when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from celeriac.app import bugreport as bugreport
    from celeriac.app.base import Celery as Celery
    from celeriac.app.current import get_current_app as get_current_app
    from celeriac.app.identifiers import uuid as uuid
    from celeriac.app.shared import shared_task as shared_task
    from celeriac.app.task import Task as Task
    from celeriac.app.version import VERSION as VERSION
    from celeriac.app.version import version_info as version_info
    from celeriac.app.version import version_info_t as version_info_t
    from celeriac.canvas.chain import chain as chain
    from celeriac.canvas.chord import chord as chord
    from celeriac.canvas.group import group as group
    from celeriac.canvas.maps import chunks as chunks
    from celeriac.canvas.maps import xmap as xmap
    from celeriac.canvas.maps import xstarmap as xstarmap
    from celeriac.canvas.signature import Signature as Signature
    from celeriac.canvas.signature import maybe_signature as maybe_signature
    from celeriac.canvas.signature import signature as signature
    from celeriac.canvas.signature import subtask as subtask
    from celeriac.results.async_result import AsyncResult as AsyncResult
    from celeriac.results.group_result import GroupResult as GroupResult
    from celeriac.results.group_result import ResultSet as ResultSet

    current_app: Celery
    current_task: Any

__version__ = "0.1.0"

__all__ = [
    "VERSION",
    "AsyncResult",
    "Celery",
    "GroupResult",
    "ResultSet",
    "Signature",
    "Task",
    "bugreport",
    "chain",
    "chord",
    "chunks",
    "current_app",
    "current_task",
    "get_current_app",
    "group",
    "maybe_signature",
    "shared_task",
    "signature",
    "subtask",
    "uuid",
    "version_info",
    "version_info_t",
    "xmap",
    "xstarmap",
]

_HOMES = {
    "AsyncResult": "celeriac.results.async_result",
    "Celery": "celeriac.app.base",
    "GroupResult": "celeriac.results.group_result",
    "ResultSet": "celeriac.results.group_result",
    "Signature": "celeriac.canvas.signature",
    "Task": "celeriac.app.task",
    "VERSION": "celeriac.app.version",
    "bugreport": "celeriac.app",
    "chain": "celeriac.canvas.chain",
    "chord": "celeriac.canvas.chord",
    "chunks": "celeriac.canvas.maps",
    "current_app": "celeriac.app.proxies",
    "current_task": "celeriac.app.proxies",
    "get_current_app": "celeriac.app.current",
    "group": "celeriac.canvas.group",
    "maybe_signature": "celeriac.canvas.signature",
    "shared_task": "celeriac.app.shared",
    "signature": "celeriac.canvas.signature",
    "subtask": "celeriac.canvas.signature",
    "uuid": "celeriac.app.identifiers",
    "version_info": "celeriac.app.version",
    "version_info_t": "celeriac.app.version",
    "xmap": "celeriac.canvas.maps",
    "xstarmap": "celeriac.canvas.maps",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # not at the top: a bare import of the package needs nothing

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
