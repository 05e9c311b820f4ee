"""How long a worker goes on trying to reach the broker that it has lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celeriac.app.base import Celery

logger = logging.getLogger("celeriac.worker.broker")


class Persistence:
    """What the settings ``broker_connection_retry``, ``..._max_retries`` and ``broker_channel_error_retry`` say."""

    def __init__(self, app: Celery, give_up: Callable[[], None]) -> None:
        """`give_up` is called, once, where the worker is to end."""
        self._app = app
        self._give_up = give_up
        self._has_given_up = False

    def lasts(self, error: BaseException, tries: int, channel_errors: tuple[type[BaseException], ...]) -> bool:
        """Whether to try again after `error`, when so many tries in a row have been in vain.

        `channel_errors`: those with which a broker closes a channel; the error may be caused by one.
        """
        reason = self._reason_to_end(error, tries, channel_errors)
        if reason is None:
            return True
        if not self._has_given_up:
            self._has_given_up = True
            logger.critical("The connection to the broker is lost (%s) and %s: the worker ends", error, reason)
            self._give_up()
        return False

    def _reason_to_end(
        self, error: BaseException, tries: int, channel_errors: tuple[type[BaseException], ...]
    ) -> str | None:
        conf = self._app.conf
        if not conf.broker_connection_retry:
            return "broker_connection_retry is off"
        if not conf.broker_channel_error_retry and isinstance(error.__cause__ or error, channel_errors):
            return "broker_channel_error_retry is off"
        most = conf.broker_connection_max_retries
        if most and tries >= most:
            return f"was tried {tries} times (broker_connection_max_retries)"
        return None
