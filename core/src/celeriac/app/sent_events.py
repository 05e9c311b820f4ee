"""Events about messages that were published: ``task-sent``, where the setting ``task_send_sent_event`` is on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from celeriac.protocol.origin import origin

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.broker import OutgoingMessage

logger = logging.getLogger("celeriac.events")

#: A connection that has been idle may be gone; the broker itself was there a moment ago.
_RETRY: Final[dict[str, Any]] = {"max_retries": 1, "interval_start": 0}


class SentEvents:
    """One per publisher."""

    def __init__(self, app: Celery) -> None:
        self.app = app

    def tell(self, messages: Sequence[OutgoingMessage]) -> None:
        """These are on the broker.  Raises nothing: a task that was sent stays so, whether that is told or not."""
        try:
            with self.app.events.default_dispatcher(origin()) as dispatcher:
                dispatcher.send_all("task-sent", [_fields(message) for message in messages], True, _RETRY)
        except self.app.connection_errors as error:
            logger.warning("%d tasks were sent, which could not be told: %s", len(messages), error)


def _fields(message: OutgoingMessage) -> dict[str, Any]:
    get = message.headers.get
    return {
        # A message of protocol 1 has no headers.
        "uuid": get("id") or message.properties.get("correlation_id"),
        "root_id": get("root_id"),
        "parent_id": get("parent_id"),
        "name": get("task"),
        "args": get("argsrepr"),
        "kwargs": get("kwargsrepr"),
        "retries": get("retries") or 0,
        "eta": get("eta"),
        "expires": get("expires"),
        "queue": getattr(message.queue, "name", None) or message.routing_key,
        "exchange": message.exchange,
        "routing_key": message.routing_key,
    }
