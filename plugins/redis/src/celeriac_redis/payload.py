"""The bytes of results, groups and chords."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celeriac_redis.compression import compressed, decompressed


class Codec:
    """Encodes and decodes as the settings of one app say."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def encode(self, value: Any) -> bytes:
        """The bytes of a value.  Raises SerializationError."""
        data = self.encode_plain(value)
        name = self._app.conf.result_compression
        return compressed(self._app, data, name) if name else data

    def encode_plain(self, value: Any) -> bytes:
        """The same, never compressed."""
        _, _, data = self._app.serializers.encode(value, name=self._app.conf.result_serializer)
        return bytes(data)

    def decode(self, data: bytes) -> Any:
        """The value again.  Raises SecurityError for content that is not accepted, and ProtocolError."""
        serializers = self._app.serializers
        # Redis keeps the bytes alone: what wrote them is what the settings name.
        content_type = serializers.get(self._app.conf.result_serializer).content_type
        return serializers.decode_result(decompressed(self._app, data), content_type)

    def kept(self, state: str, seconds: float | None) -> int | str:
        """Milliseconds that a result is kept; empty for ever, as for a `result_expires` of None or 0."""
        conf = self._app.conf
        if seconds is None and state == "FAILURE":
            seconds = conf.result_failure_expires
        return milliseconds(conf.result_expires if seconds is None else seconds)

    def chord_kept(self, seconds: float | None = None) -> int | str:
        """Milliseconds that the state of a chord is kept; empty for ever."""
        conf = self._app.conf
        if seconds is None:
            seconds = conf.result_chord_expires
        return milliseconds(conf.result_expires if seconds is None else seconds)


def milliseconds(seconds: float | timedelta | None) -> int | str:
    """Seconds as the scripts take them: whole milliseconds, empty for ever."""
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    return max(1, round(seconds * 1000)) if seconds else ""
