"""The end of the mailbox at which a worker listens: reads commands, has them obeyed, answers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from kombu.matcher import MatcherNotInstalled

from celeriac.app.mailbox import MailboxNode

logger = logging.getLogger("celeriac.worker.control")


#: How a command says that it cannot be obeyed as it was given.
_REFUSALS: Final = (ValueError, NotImplementedError, ImportError)


class PanelNode(MailboxNode):
    """Kombu's node, for a worker that outlives every message and every loss of its connection."""

    hostname: str
    mailbox: Any
    handlers: dict[str, Any]

    def handle_message(self, body: Any, message: Any = None) -> Any:
        """Obey a command, if it is for this node; whatever the message holds, nothing is raised for it."""
        if not _is_command(body):
            logger.error("A message of remote control is none, and is dropped: %.200r", body)
            return None
        clock = (getattr(message, "headers", None) or {}).get("clock")
        if isinstance(clock, int):
            self.adjust_clock(clock)
        try:
            if not self._is_meant(body.get("destination"), body.get("pattern"), body.get("matcher")):
                return None
        except MatcherNotInstalled as error:
            logger.error("A control command is for no node: %s", error)
            return None
        method = body["method"]
        handler = self.handlers.get(method)
        if handler is None:
            logger.error("No such control command: %.100r", method)
            answer: Any = {"error": f"no such control command: {method[:100]!r}"}
        else:
            answer = self._obey(method, handler, body.get("arguments") or {})
        if reply_to := body.get("reply_to"):
            self.reply({self.hostname: answer}, reply_to["exchange"], reply_to["routing_key"], body.get("ticket"))
        return answer

    def _is_meant(self, destination: Any, pattern: Any, matcher: Any) -> bool:
        if destination:
            return self.hostname in destination
        if pattern and matcher:
            from kombu.matcher import match

            return bool(match(self.hostname, pattern, matcher))  # type: ignore[arg-type]  # Kombu says bytes, and means text
        return True

    def _obey(self, method: str, handler: Any, arguments: Mapping[str, Any]) -> Any:
        logger.debug("Control command %s(%r)", method, arguments)
        try:
            return handler(self.state, **arguments)
        except Exception as error:  # whatever it is, whoever asks is told, and the worker goes on
            logger.error("Control command %s failed: %r", method, error, exc_info=not isinstance(error, _REFUSALS))
            return {"error": repr(error)}

    def reply(self, data: Any, exchange: str, routing_key: str, ticket: Any, **_: Any) -> None:
        """Send an answer, once: the loop must not wait here for a broker that has gone.

        Raises what the transport raises when it has; whoever asked before that does not hear.
        """
        send = self.mailbox.publish_answer
        try:
            send(data, exchange, routing_key, ticket, self.channel)
        except self._gone:
            raise
        except Exception as error:  # noqa: BLE001  # it cannot be written, or nobody waits for it any more
            logger.error("An answer of remote control could not be sent: %r", error)
            if not _is_undelivered(error):
                told = {self.hostname: {"error": f"the answer cannot be sent: {error!r}"}}
                send(told, exchange, routing_key, ticket, self.channel)

    @property
    def _gone(self) -> tuple[type[BaseException], ...]:
        connection: Any = self.mailbox.connection
        return (OSError, *connection.connection_errors, *connection.channel_errors)


def _is_undelivered(error: Exception) -> bool:
    """Whether nobody waits for the answer any more: its queue is gone, which Redis tells in this way."""
    from kombu.exceptions import InconsistencyError

    return isinstance(error, InconsistencyError)


def _is_command(body: Any) -> bool:
    if not isinstance(body, Mapping) or not isinstance(body.get("method"), str):
        return False
    arguments, reply_to = body.get("arguments"), body.get("reply_to")
    if arguments and not (isinstance(arguments, Mapping) and all(isinstance(name, str) for name in arguments)):
        return False
    if reply_to and not (
        isinstance(reply_to, Mapping)
        and isinstance(reply_to.get("exchange"), str)
        and isinstance(reply_to.get("routing_key"), str)
    ):
        return False
    destination = body.get("destination")
    texts = (body.get("pattern"), body.get("matcher"))
    return (not destination or isinstance(destination, (list, tuple, str))) and all(
        text is None or isinstance(text, str) for text in texts
    )
