"""JSON, the kernel's own serializer and the only one accepted until the user says otherwise."""

from __future__ import annotations

from typing import Any, ClassVar

from celeriac.contracts.serializer import Serializer
from celeriac.protocol import json


class JsonSerializer(Serializer):
    """JSON with the extended types of the wire page."""

    name: ClassVar[str] = "json"
    content_type: ClassVar[str] = "application/json"
    content_encoding: ClassVar[str] = "utf-8"

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value)

    def loads(self, data: bytes) -> Any:
        return json.loads(data)
