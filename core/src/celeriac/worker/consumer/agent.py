"""The step that looks after the services of a worker."""

from __future__ import annotations

from typing import Any

from celeriac.bootsteps import StartStopStep
from celeriac.worker.consumer.connection import Connection
from celeriac.worker.supervisor import Supervisor, stop_all


class Agent(StartStopStep):
    """Runs what plugins return from the hook ``celeriac_worker_services``, and the agent that ``worker_agent`` names.

    The latter is as Celery has it: a class that is called with the connection to the broker, and whose `start` and
    `stop` are called in the worker's own thread.
    """

    requires = (Connection,)
    conditional = True

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        parent.agent = None
        self.agent_cls = parent.app.conf.worker_agent
        self._supervisors = [Supervisor(service) for service in parent.app.plugins.worker_services()]
        self.enabled = bool(self.agent_cls or self._supervisors)

    def start(self, parent: Any) -> None:
        for supervisor in self._supervisors:
            supervisor.start()
        if self.agent_cls:
            self.obj = parent.agent = self.instantiate(self.agent_cls, parent.connection)
            self.obj.start()

    def stop(self, parent: Any) -> None:
        agent, self.obj, parent.agent = self.obj, None, None
        try:
            if agent is not None:
                agent.stop()
        finally:
            stop_all(self._supervisors)

    terminate = stop

    def info(self, obj: Any) -> dict[str, Any]:
        return {"services": {each.service.name: each.info() for each in self._supervisors}}
