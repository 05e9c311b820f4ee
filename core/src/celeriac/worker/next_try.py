"""The next try of a task whose process has died: ``retry_on_worker_lost``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from celeriac.contracts.broker import OutgoingMessage
from celeriac.protocol.properties import build_properties
from celeriac.protocol.timestamps import eta_after

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.worker.open_jobs import OpenJob

logger = logging.getLogger("celeriac.worker.debts")


def has_another_try(job: OpenJob) -> bool:
    """Whether a task that was lost is to be tried again: it asks for that, and has retries left."""
    task = job.task
    if task is None or not task.retry_on_worker_lost:
        return False
    retries: int = job.job.headers.get("retries") or 0
    return task.max_retries is None or retries < task.max_retries


class NextTry:
    """The message of one more try: the body as it came, one more retry in the headers."""

    def __init__(self, job: OpenJob) -> None:
        self.task_id = job.id
        headers = dict(job.job.headers)
        eta = eta_after(job.task.default_retry_delay)
        headers.update(retries=(headers.get("retries") or 0) + 1, eta=eta.isoformat())
        delivery, properties = job.job.delivery_info, job.job.properties
        self._message = OutgoingMessage(
            job.job.body,
            job.job.content_type,
            job.job.content_encoding,
            headers,
            build_properties(self.task_id, properties.get("reply_to") or "", delivery.get("priority")),
            delivery.get("exchange") or "",
            delivery.get("routing_key") or job.queue,
            eta=eta.timestamp(),
        )
        logger.warning(
            "Task %s[%s] is tried again in %s s, because its process has died",
            job.name,
            job.id,
            job.task.default_retry_delay,
        )

    def tell(self, app: Celery) -> bool:
        """Send it; False where the broker is out of reach: then call again."""
        try:
            app.publisher.send([self._message], {"retry": False})
        except app.connection_errors as error:
            logger.error("The next try of task %s cannot be sent yet: %s", self.task_id, error)
            return False
        return True
