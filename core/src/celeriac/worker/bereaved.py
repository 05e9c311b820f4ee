"""Who is told what the end of a task could not tell: its errbacks and handlers, the rest of its chain, its chord."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from celeriac.app.context import Context
from celeriac.app.errbacks import call_errback
from celeriac.canvas.aftermath import deposit
from celeriac.canvas.completion import store
from celeriac.exceptions import BackendError
from celeriac.protocol.body import decode_body
from celeriac.worker.failing import tell_failure

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.broker import Delivery
    from celeriac.contracts.pool import Job

logger = logging.getLogger("celeriac.worker.debts")


class Bereaved:
    """Those who wait for one such task.  Only here does the worker's main process read the body of a message."""

    def __init__(self, message: Job | Delivery, state: str, value: Any, has_run: bool) -> None:
        """`value` is the error, or what the task has returned where `state` is that of a success.

        `has_run`: the task was lost and has failed, so that its errbacks are told too.
        """
        self._message = message
        self._state = state
        self._value = value
        self._has_run = has_run
        self._request: Context | None = None
        self._is_heard = False
        self._errbacks: list[Any] = []

    @property
    def task_id(self) -> str:
        """The id of the task."""
        return str(self._message.headers.get("id") or "")

    def tell(self, app: Celery) -> bool:
        """Tell them; False where the broker or the store is out of reach: then call again, for those who are left."""
        out_of_reach: tuple[type[BaseException], ...] = (BackendError, *app.connection_errors)
        while True:
            try:
                self._tell(app)
            except out_of_reach as error:
                logger.error("Those who wait for task %s cannot be told yet: %s", self.task_id, error)
                return False
            except Exception as error:
                logger.error("Those who wait for task %s could not be told: %r", self.task_id, error, exc_info=error)
                # The first of them may be at fault, and must not keep it from the others.
                if self._errbacks:
                    del self._errbacks[0]
                    continue
            return True

    def _tell(self, app: Celery) -> None:
        request = self._read(app)
        while self._errbacks:
            call_errback(app, request, self._errbacks[0], self._value, None)
            del self._errbacks[0]
        if self._has_run and not self._is_heard:
            self._is_heard = True
            tell_failure(app, request, self._value)
        left = deposit(app, request, self._state, self._value, None, is_wanted=False)
        if left is not None:
            store(app, [left])

    def _read(self, app: Celery) -> Context:
        if self._request is None:
            message = self._message
            headers = message.headers
            compression = headers.get("compression")
            data = app.compression.expand(message.body, compression) if compression else message.body
            body = decode_body(app.serializers.decode(data, message.content_type))
            self._request = Context(
                id=self.task_id,
                task=headers.get("task"),
                args=body.args,
                kwargs=body.kwargs,
                group=headers.get("group"),
                group_index=headers.get("group_index"),
                root_id=headers.get("root_id") or self.task_id,
                parent_id=headers.get("parent_id"),
                retries=headers.get("retries") or 0,
                chain=body.chain,
                chord=body.chord,
                errbacks=body.errbacks,
                reply_to=message.properties.get("reply_to"),
                called_directly=False,
            )
            self._errbacks = list(body.errbacks or ()) if self._has_run else []
        return self._request
