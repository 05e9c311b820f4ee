"""What a serializer must be: bytes from values, values from bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar


class Serializer(ABC):
    """Thread-safe, made without arguments, and without state but that of its ``set_up``, where it has one."""

    api_version: ClassVar[int] = 1
    #: The name used in ``task_serializer`` and ``accept_content``.
    name: ClassVar[str]
    #: What goes on the wire, e.g. ``application/json``.
    content_type: ClassVar[str]
    #: ``utf-8`` for text, ``binary`` otherwise.
    content_encoding: ClassVar[str]
    #: True where decoding can run code of the sender's choice; accepted only when named in ``accept_content``.
    trusts_sender: ClassVar[bool] = False
    #: True where decoding proves who has written the content: nothing is believed of content that it refuses.
    authenticates: ClassVar[bool] = False

    @classmethod
    def for_trial(cls) -> Serializer:
        """One that the conformance kit can try without an app: with keys of its own, where it needs any."""
        return cls()

    @abstractmethod
    def dumps(self, value: Any) -> bytes:
        """Raises `SerializationError` naming the place of a value that cannot be encoded."""

    @abstractmethod
    def loads(self, data: bytes) -> Any:
        """Raises `ProtocolError` for data that is not of this format, and nothing else.

        One that `authenticates` also raises `SecurityError`, for data of somebody who is not trusted.
        """
