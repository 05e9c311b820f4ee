"""What Celery has and this has not: modules, and names of modules, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_LOOP: Final = "the loop of a worker is its own, and no step or subclass can put another one in its place"
_POOL: Final = "the processes of the pool prefork are not made of billiard"
_TABLES: Final = "the tables of a result store are the plugin's that has them"
_OLD: Final = "a name of Celery 2, which Celery itself only keeps to warn"
_EVENTS: Final = "a buffer of Celery's own for events, which packages do not use"
_TRACER: Final = "tasks are run by `celeriac.worker.execution`; what may be replaced of it is `build_tracer`"

#: What instrumentation that rebuilds Celery's own tracer takes from its module.
_OF_TRACER: Final = (
    *("AsyncResult", "BackendGetMetaError", "Context", "EncodeError", "ExceptionInfo", "FAILURE", "IGNORED"),
    *("IGNORE_STATES", "Ignore", "InvalidTaskError", "LOG_IGNORED", "LOG_SUCCESS", "REJECTED", "RETRY", "Reject"),
    *("Retry", "STARTED", "SUCCESS", "_signal_internal_error", "_task_stack", "get_task_name", "gethostname", "group"),
    *("info", "logger", "report_internal_error", "safe_repr", "saferepr", "send_postrun", "send_prerun"),
    *("send_success", "signals", "successful_requests", "traceback_clear"),
)

#: What nobody can import, by module or by module and name.
ABSENT: Final[Mapping[str, str]] = {
    "celery.app.autoretry": "`autoretry_for` is seen to where a task is defined",
    "celery.backends.asynchronous": "waiting for results is a `celeriac.contracts.ResultWatcher`",
    "celery.backends.database.models": _TABLES,
    "celery.backends.database.session": _TABLES,
    "celery.concurrency.asynpool": _POOL,
    "celery.concurrency.prefork:process_destructor": _POOL,
    "celery.concurrency.prefork:process_initializer": _POOL,
    "celery.contrib.sphinx": "Sphinx documents tasks by its own autodoc: a task is documented as its function is",
    "celery.events.cursesmon": "`celery events` draws its screen without curses",
    **{
        f"celery.bin.worker:{name}": "the worker reads its options by itself"
        for name in ("AUTOSCALE", "Autoscale", "CELERY_BEAT", "CeleryBeat", "HOSTNAME", "Hostname", "WORKERS_POOL")
    },
    "celery.bin.worker:WorkersPool": "the worker reads its options by itself",
    "celery.bin.worker:detach": "`celery worker --detach` forks, and starts no other program",
    "celery.security.utils": "signing belongs to celeriac-auth, which raises SecurityError by itself",
    "celery.utils.static": "there are no pictures here",
    "celery.worker.loops": _LOOP,
    "celery.worker.pidbox": "a worker reads its control queue in the step `celery.worker.consumer.Control`",
    **{
        f"celery:__{name}__": "tells of the people and pages of Celery"
        for name in ("author", "contact", "docformat", "homepage")
    },
    "celery:_find_option_with_arg": "the command line is read by click",
    "celery:_original_os_write": "a repair of billiard's, which the pools here are not made of",
    "celery:execute": _OLD,
    "celery:log": _OLD,
    "celery:messaging": _OLD,
    "celery.backends.database:Task": _TABLES,
    "celery.backends.database:retry": _TABLES,
    "celery.backends.database:session_cleanup": _TABLES,
    "celery.backends.rpc:BacklogLimitExceeded": "the store `rpc` reads as many replies as there are",
    "celery.beat:BeatPidbox": "`celeriac.beat.remote` answers for it",
    "celery.bin.base:consume_preload_options": "options for all commands are seen to for all of them",
    "celery.bin.base:handle_remote_command_error": "commands tell of errors by themselves",
    "celery.utils.collections:BufferMap": _EVENTS,
    "celery.utils.collections:Evictable": _EVENTS,
    "celery.utils.collections:Messagebuffer": _EVENTS,
    "celery.utils.graph:DOT": "how a graph looks is said by its `GraphFormatter`",
    "celery.utils.saferepr:reprstream": "`saferepr` walks its value by itself",
    "celery.utils.sysinfo:CpuBudget": "`available_cpu_count` has the limits of a container in it",
    "celery.utils.sysinfo:cgroup_cpu_quota": "`available_cpu_count` has the limits of a container in it",
    "celery.utils.sysinfo:cpu_budget": "`available_cpu_count` has the limits of a container in it",
    "celery.utils.threads:bound_open_broker_sockets": "connections to brokers have timeouts of their own",
    **{f"celery.app.trace:{name}": _TRACER for name in _OF_TRACER},
    "celery.worker.request:create_request_cls": "a worker's main process makes no request of a message: see `Request`",
    "celery.worker.state:Persistent": "`--statedb` keeps a file of its own kind, in JSON",
    **{
        f"celery.worker.state:task_{name}": "the worker keeps its own books; `celery.worker.state` shows them"
        for name in ("accepted", "ready", "reserved", "scheduled")
    },
    "celery.worker.strategy:hybrid_to_proto2": "bodies are decoded where the task runs",
    "celery.worker.strategy:proto1_to_proto2": "bodies are decoded where the task runs",
}

__all__ = ["ABSENT"]
