"""The last words of a worker: what is still owed to the store and to the broker when it ends."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from celeriac.worker.consumer.consumer import Consumer

logger = logging.getLogger("celeriac.worker.farewell")

#: Pauses before the last words to the broker are tried again, in seconds.
_PAUSES: Final = (0.1, 0.4, 1.0)


def take_leave(consumer: Consumer) -> None:
    """Pay what the store takes, and tell the broker what became of all messages; whatever fails is told of loudly."""
    _pay_or_give_back(consumer)
    for pause in (*_PAUSES, None):
        if consumer.settle_now():
            return
        if pause is not None:
            time.sleep(pause)
    logger.critical(
        "The broker was not told what became of %d messages: those acked late will be delivered again", consumer.untold
    )


def _pay_or_give_back(consumer: Consumer) -> None:
    """What the store does not take even now is run again where it may be."""
    debts = consumer.endings.debts
    if debts.pay():
        return
    for debt in debts.give_up():
        if debt.instead is not None:
            debt.instead()
        else:
            logger.critical(
                "The store does not take the result of task %s, which was lost, and must not run again", debt.whose
            )
