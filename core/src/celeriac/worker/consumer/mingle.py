"""The step that asks other workers, before the first task is taken, what they know and this one does not."""

# Kombu's consumers have no annotations.
# mypy: allow-untyped-calls
from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from kombu import Consumer as KombuConsumer
from kombu import Producer

from celeriac.app.identifiers import uuid
from celeriac.app.mailbox import listeners, mailbox_of, refused
from celeriac.bootsteps import StartStopStep
from celeriac.exceptions import CeleryError
from celeriac.worker.consumer.events import Events

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.worker.consumer.consumer import Consumer

logger = logging.getLogger("celeriac.worker.mingle")

#: Seconds in which others may answer.
_PATIENCE: Final = 1.0
#: Seconds of silence after an answer that end the wait, where nobody knows how many there are.
_SILENCE: Final = 0.25
#: No logical clock has come as far as this.
_LATEST_CLOCK: Final = 2**53


class Mingle(StartStopStep):
    """What was revoked, and the logical clock; left out by ``--without-mingle``."""

    requires = (Events,)

    def __init__(self, parent: Consumer, without_mingle: bool = False, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self.enabled = not without_mingle

    def start(self, parent: Consumer) -> None:
        if parent.event_dispatcher is None or not parent.event_dispatcher.can_send:
            return
        known = list(parent.state.revocations.ids)
        try:
            answers = Inquiry(parent.app, parent.hostname, known).answers()
        except Exception as error:  # noqa: BLE001  # a worker can do without
            logger.warning("Other workers could not be asked what they know: %s: %s", type(error).__name__, error)
            return
        if not answers:
            logger.info("No other workers have answered")
            return
        for node, answer in answers.items():
            _take_in(parent, node, answer)
        logger.info("In step with %d other workers", len(answers))


def _take_in(consumer: Consumer, node: str, answer: Any) -> None:
    if not isinstance(answer, Mapping):
        logger.error("%s has answered something that is no answer: %.200r", node, answer)
        return
    clock, revoked = answer.get("clock"), answer.get("revoked")
    if type(clock) is int and 0 <= clock < _LATEST_CLOCK:
        consumer.app.clock.adjust(clock)
    # A list of ids, or a map of which they are the keys.
    ids = [one for one in revoked if isinstance(one, str)] if isinstance(revoked, Iterable) else []
    if ids:
        consumer.revoking.learn(ids)


class Inquiry:
    """One ``hello`` to all other workers; their answers come to a queue that goes away with it."""

    def __init__(self, app: Celery, hostname: str, revoked: list[str]) -> None:
        self._app = app
        self._hostname = hostname
        self._revoked = revoked
        self._mailbox: Any = mailbox_of(app)
        self._ticket = uuid()
        self._answers: dict[str, Any] = {}
        self._is_nobody_there = False

    def answers(self) -> dict[str, Any]:
        """By node name.  Waits for a second at most, and not at all where nobody is there."""
        with self._app.connection_for_read(heartbeat=0) as connection:
            # One try with each URL, as the worker's own connection is there.
            connection.ensure_connection(max_retries=max(len(connection.alt) - 1, 0))
            channel = connection.channel()
            expected = listeners(channel, self._mailbox.exchange.name)
            if expected == 0:
                return {}
            queue = self._mailbox.get_reply_queue()
            with KombuConsumer(channel, queues=[queue], on_message=self._take, on_decode_error=refused, no_ack=True):
                self._ask(channel)
                self._wait(connection, expected)
        return self._answers

    def _ask(self, channel: Any) -> None:
        mailbox = self._mailbox
        command = {
            "method": "hello",
            "arguments": {"from_node": self._hostname, "revoked": self._revoked},
            "destination": None,
            "pattern": None,
            "matcher": None,
            "ticket": self._ticket,
            "reply_to": {"exchange": mailbox.reply_exchange.name, "routing_key": mailbox.oid},
        }
        # A broker that knows of nobody says so, if it is AMQP's.
        is_told = hasattr(channel, "events")
        content_type, content_encoding, data = mailbox.codec.encode_command(command)
        Producer(channel, on_return=self._returned if is_told else None).publish(
            data,
            exchange=mailbox.exchange.name,
            declare=[mailbox.exchange],
            headers={"clock": self._app.clock.forward(), "expires": time.time() + _PATIENCE},
            content_type=content_type,
            content_encoding=content_encoding,
            mandatory=is_told,
        )

    def _returned(self, *_: Any) -> None:
        self._is_nobody_there = True

    def _take(self, message: Any) -> None:
        if (message.headers or {}).get("ticket") != self._ticket:
            return
        try:
            body = self._mailbox.codec.decode(message)
        except CeleryError as error:
            refused(message, error)
            return
        if isinstance(body, Mapping):
            self._answers.update((str(node), answer) for node, answer in body.items() if node != self._hostname)

    def _wait(self, connection: Any, expected: int | None) -> None:
        until = time.monotonic() + _PATIENCE
        while not self._is_nobody_there and (expected is None or len(self._answers) < expected):
            left = until - time.monotonic()
            if self._answers and expected is None:
                left = min(left, _SILENCE)
            if left <= 0:
                return
            try:
                connection.drain_events(timeout=left)
            except TimeoutError:
                return
