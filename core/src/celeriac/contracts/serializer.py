"""What a serializer must be: bytes from values, values from bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar


class Serializer(ABC):
    """Stateless and thread-safe; made without arguments."""

    api_version: ClassVar[int] = 1
    #: The name used in ``task_serializer`` and ``accept_content``.
    name: ClassVar[str]
    #: What goes on the wire, e.g. ``application/json``.
    content_type: ClassVar[str]
    #: ``utf-8`` for text, ``binary`` otherwise.
    content_encoding: ClassVar[str]
    #: True where decoding can run code of the sender's choice; accepted only when named in ``accept_content``.
    trusts_sender: ClassVar[bool] = False

    @abstractmethod
    def dumps(self, value: Any) -> bytes:
        """Raises `SerializationError` naming the place of a value that cannot be encoded."""

    @abstractmethod
    def loads(self, data: bytes) -> Any:
        """Raises `ProtocolError`, and nothing else, for data that is not of this format."""
