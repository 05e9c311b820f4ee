"""A broker with one app on it, of a run's own: a file, a Redis server, or queues in a RabbitMQ server."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from servers import KINDS, Server

from celeriac import Celery


class Site:
    """In use as a context; at its end nothing is left behind."""

    def __init__(self, broker: str, directory: Path, *, quorum: bool = False) -> None:
        """`broker`: sqlite, a server of its own (redis, amqp), or a RabbitMQ's URL; `directory` is nobody else's."""
        self.directory = directory
        self.is_rabbitmq = broker.startswith("amqp")
        self._broker = broker
        self._quorum = quorum
        self._stack = ExitStack()

    def __enter__(self) -> Site:
        self.directory.mkdir(parents=True)
        self.settings = self._settings()
        #: What a worker finds in its environment.
        self.env = {"SOAK_SETTINGS": json.dumps(self.settings)}
        self.app = Celery("soaked", **self.settings)
        return self

    def _settings(self) -> dict[str, Any]:
        self._server: Server | None = None
        broker = self._broker
        if broker in KINDS:
            self._server = self._stack.enter_context(KINDS[broker](self.directory))
            broker = self._server.url
        if broker.startswith("redis"):
            return {"broker_url": broker, "result_backend": broker}
        if not self.is_rabbitmq:
            url = f"sqlite:///{self.directory / 'queue.db'}"
            return {"broker_url": url, "result_backend": url}
        own = f"eta-{os.getpid()}-{self.directory.name}"
        return {
            "broker_url": broker,
            "task_default_queue": own,
            "task_default_queue_type": "quorum" if self._quorum else "classic",
            "broker_transport_options": {"delayed_delivery_prefix": own},
            "result_backend": f"sqlite:///{self.directory / 'results.db'}",
        }

    def cpu(self) -> float:
        """Seconds of CPU that its own server has used so far, 0 where it has none."""
        return 0.0 if self._server is None else self._server.cpu()

    def __exit__(self, *_: object) -> None:
        if self.is_rabbitmq:
            _leave_nothing(self.app)
        self.app.close()
        self._stack.close()


def _leave_nothing(app: Any) -> None:
    """Delete what was declared in a RabbitMQ server."""
    prefix: str = app.conf.task_default_queue
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        channel.queue_delete(prefix)
        for number in range(28):
            channel.queue_delete(f"{prefix}_celery_delayed_{number}")
            channel.exchange_delete(f"{prefix}_celery_delayed_{number}")
        channel.exchange_delete(f"{prefix}_celery_delayed_delivery")
