"""The bytes of a result."""

from __future__ import annotations

from typing import Any

from celeriac_sqlite.results import Payload


def encoded(app: Any, task_id: str, meta: Any) -> Payload:
    """A meta, or the value of a part of a chord, in the serializer of the app's results.  Raises SerializationError."""
    content_type, encoding, data = app.serializers.encode(meta, name=app.conf.result_serializer)
    return Payload(task_id, content_type, encoding, data)


def decoded(app: Any, payload: Payload) -> Any:
    """The same again.  Raises SecurityError for content that the app does not accept, and ProtocolError."""
    found: Any = app.serializers.decode_result(payload.data, payload.content_type)
    return found
