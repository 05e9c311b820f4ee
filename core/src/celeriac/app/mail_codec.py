"""Messages of remote control as bytes: written and read by the serializers of the app, as its tasks are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celeriac.exceptions import CeleryError, ProtocolError, SecurityError

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.control import CommandGuard


class MailCodec:
    """One per mailbox.  Nothing raises anything but errors of Celeriac's own, whatever a message holds."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    @cached_property
    def _guards(self) -> Iterable[CommandGuard]:
        return self._app.plugins.command_guards()

    def encode(self, body: Any) -> tuple[str, str, bytes]:
        """Content type, content encoding and bytes of an answer.  Raises `SerializationError`."""
        return self._app.serializers.encode(body, self._app.conf.task_serializer)

    def encode_command(self, body: Mapping[str, Any]) -> tuple[str, str, bytes]:
        """The same of a command, which plugins may mark."""
        marked = dict(body)
        for guard in self._guards:
            guard.mark(marked)
        return self.encode(marked)

    def decode(self, message: Any) -> Any:
        """What a Kombu message holds.  Raises `SecurityError` and `ProtocolError`."""
        return self._read(_bytes_of(message), message.content_type)

    def _read(self, data: bytes, content_type: str) -> Any:
        try:
            return self._app.serializers.decode(data, content_type)
        except CeleryError:
            raise
        except Exception as error:  # a serializer of a plugin
            raise ProtocolError(f"it cannot be read: {type(error).__name__}: {error}") from error

    def decode_command(self, message: Any) -> Any:
        """The same of a command.  Raises `SecurityError` also where a plugin refuses it."""
        data, content_type = _bytes_of(message), message.content_type
        body = self._read(data, content_type)
        for guard in self._guards:
            try:
                refusal = guard.check(body, content_type, data)
            except Exception as error:  # an error in a check must not let a command pass, nor end the loop
                raise SecurityError(f"the guard {guard.name!r} has failed: {error!r}") from error
            if refusal is not None:
                raise SecurityError(refusal)
        return body


def _bytes_of(message: Any) -> bytes:
    data = message.body
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
