"""What a compressor must be: fewer bytes from bytes, and these again, up to a limit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar


class Compressor(ABC):
    """Stateless and thread-safe; made without arguments.

    Offered under the names that users write (``task_compression``) and under its content type, by which it is found
    when a message comes in.
    """

    api_version: ClassVar[int] = 1
    #: The header ``compression`` on the wire, e.g. ``application/zstd``.
    content_type: ClassVar[str]

    @abstractmethod
    def compress(self, data: bytes) -> bytes:
        """Raises nothing."""

    @abstractmethod
    def expand(self, data: bytes, most: int) -> bytes:
        """What was compressed; never holds much more than `most` bytes, however much that would be.

        Raises `ProtocolError`, and nothing else, for damaged or cut data and for more than `most` bytes.
        """
