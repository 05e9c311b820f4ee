"""The bytes of a result."""

from __future__ import annotations

from typing import Any

from celeriac.protocol.json import dumps, loads
from celeriac_sqlite.results import Payload


def encoded(app: Any, task_id: str, meta: dict[str, Any]) -> Payload:
    """A meta in the serializer of the app's results."""
    serializers = getattr(app, "serializers", None)
    if serializers is None:
        return Payload(task_id, "application/json", "utf-8", dumps(meta))
    content_type, encoding, data = serializers.encode(meta, name=app.conf.result_serializer)
    return Payload(task_id, content_type, encoding, data)


def decoded(app: Any, payload: Payload) -> dict[str, Any]:
    """The meta again."""
    serializers = getattr(app, "serializers", None)
    if serializers is None:
        found: dict[str, Any] = loads(payload.data)
    else:
        found = serializers.decode(payload.data, payload.content_type, payload.content_encoding)
    return found
