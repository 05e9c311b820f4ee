"""The serializer: the values of MessagePack, as Kombu writes and reads them."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgpack

from celeriac.contracts import Serializer
from celeriac.exceptions import ProtocolError, SerializationError
from celeriac.protocol.offender import find_refused

#: The longest that is read or written, in bytes; that of JSON.
MAX_BYTES: Final = 128 * 1024 * 1024
_HINT: Final = "pass plain data (an id, a string, a list, a dict), or use another serializer"
_HINTS: Final = {
    "datetime": "pass value.isoformat()",
    "date": "pass value.isoformat()",
    "time": "pass value.isoformat()",
    "Decimal": "pass str(value)",
    "UUID": "pass str(value)",
    "set": "pass a list, for example sorted(value)",
    "frozenset": "pass a list, for example sorted(value)",
}


class MsgpackSerializer(Serializer):
    """Text stays text, bytes stay bytes, tuples become lists; keys of maps are text or bytes."""

    name: ClassVar[str] = "msgpack"
    content_type: ClassVar[str] = "application/x-msgpack"
    content_encoding: ClassVar[str] = "binary"

    def dumps(self, value: Any) -> bytes:
        try:
            data = _packed(value)
        except Exception as error:  # the library raises six kinds
            raise SerializationError(_told(value, error)) from error
        if len(data) > MAX_BYTES:
            raise SerializationError(
                f"the message would be {len(data)} bytes, more than {MAX_BYTES}; "
                "store the data elsewhere and send where"
            )
        return data

    def loads(self, data: bytes) -> Any:
        if len(data) > MAX_BYTES:
            raise ProtocolError(f"MessagePack of {len(data)} bytes is longer than the {MAX_BYTES} that are read")
        try:
            return _unpacked(data)
        except (MemoryError, RecursionError) as error:
            raise ProtocolError(f"MessagePack that asks for too much: {type(error).__name__}") from None
        except Exception as error:  # noqa: BLE001  # the library raises many kinds
            raise ProtocolError(f"not MessagePack: {type(error).__name__}: {error}"[:300]) from None


def _packed(value: Any) -> bytes:
    data: bytes = msgpack.packb(value, use_bin_type=True)
    # What cannot be read must not be sent: keys that are no text, depths that no reader takes.
    _unpacked(data)
    return data


def _unpacked(data: bytes) -> Any:
    # No length is larger than that of the data; a key that is a number could be chosen to collide with others.
    return msgpack.unpackb(data, raw=False, strict_map_key=True)


def _told(value: Any, error: Exception) -> str:
    path, part = find_refused(value, _packed)
    kind = type(part).__name__
    if isinstance(part, dict):
        return f"{path}: a map with a key that is no text cannot be written as MessagePack; use strings as keys"
    if isinstance(part, int):
        return f"{path}: an integer of {part.bit_length()} bits is too large for MessagePack; pass str(value)"
    if isinstance(part, (list, tuple)):
        return f"{path}: it nests deeper than readers of MessagePack take ({str(error)[:100]}); pass flatter data"
    return f"{path}: object of type {kind} cannot be written as MessagePack; {_HINTS.get(kind, _HINT)}"
