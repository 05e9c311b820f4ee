"""Serializers that a program, or an entry point in ``kombu.serializers``, has registered with Kombu."""

from __future__ import annotations

from typing import Any

from celeriac.contracts import Serializer
from celeriac.exceptions import ProtocolError, SerializationError

#: Formats in which data can run code of the sender's choice.
_TRUSTING = frozenset({"pickle", "application/x-python-serialize"})


def serializer_named(name: str) -> type[Serializer] | None:
    """A serializer that calls what Kombu knows under that name or content type; None where it knows nothing."""
    from kombu.serialization import registry  # reads entry points when it is imported

    short = name if name in registry.name_to_type else registry.type_to_name.get(name)
    if short is None or short not in registry._encoders:
        return None
    content_type, content_encoding, encode = registry._encoders[short]
    decode = registry._decoders[content_type]

    class Registered(KombuSerializer):
        trusts_sender = short in _TRUSTING

    Registered.name = short
    Registered.content_type = content_type
    Registered.content_encoding = content_encoding
    Registered.encode = staticmethod(encode)
    Registered.decode = staticmethod(decode)
    return Registered


class KombuSerializer(Serializer):
    """Calls two functions."""

    encode: Any
    decode: Any

    def dumps(self, value: Any) -> bytes:
        try:
            data = self.encode(value)
        except Exception as error:
            raise SerializationError(f"{self.name} cannot encode {type(value).__name__}: {error}") from error
        return data.encode(self.content_encoding) if isinstance(data, str) else bytes(data)

    def loads(self, data: bytes) -> Any:
        try:
            return self.decode(data if self.content_encoding == "binary" else data.decode(self.content_encoding))
        except Exception as error:
            raise ProtocolError(f"the data is no {self.name}: {error}") from error
