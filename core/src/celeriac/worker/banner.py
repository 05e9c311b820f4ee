"""What a worker says of itself when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import celeriac

if TYPE_CHECKING:
    from celeriac.worker.boot import WorkController


def banner(worker: WorkController) -> str:
    """Broker, result store, pool, queues and tasks, with passwords masked."""
    app = worker.app
    place = worker.consumer.broker.place()
    tasks = sorted(name for name in app.tasks if not name.startswith("celery."))
    lines = [
        f"celeriac {celeriac.__version__}  {worker.hostname}",
        "",
        f"  app       {app.main or '__main__'}",
        f"  broker    {worker.consumer.broker_uri()}",
        *([f"            {place}"] if place else []),
        f"  results   {app.backend.as_uri()}",
        f"  pool      {worker.pool.name}, {worker.pool.context.concurrency} at once",
        f"  plugins   {', '.join(_plugins(app)) or 'none'}",
        "",
        "  queues",
        *(f"    {queue.name}" for queue in worker.queues),
        "",
        "  tasks",
        *(f"    {name}" for name in tasks),
    ]
    if app.conf.task_always_eager:
        lines.append("\n  task_always_eager is on: tasks sent by programs with this setting never come here")
    return "\n".join(lines) + "\n"


def _plugins(app: Any) -> list[str]:
    return [
        f"{state.distribution} {state.version}" for state in app.plugins.states() if state.distribution != "celeriac"
    ]
