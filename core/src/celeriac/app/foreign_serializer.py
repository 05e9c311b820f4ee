"""Serializers that others have registered with Kombu: by `kombu.serialization.register`, or its entry points."""

from __future__ import annotations

from typing import Any

from kombu import serialization
from kombu.exceptions import SerializerNotInstalled

from celeriac.contracts.serializer import Serializer
from celeriac.exceptions import CeleryError, ProtocolError, SerializationError

#: Those that Kombu brings itself: ours are drivers, with limits, and pickle is a plugin that wants to be installed.
_KOMBUS_OWN = frozenset({"json", "yaml", "pickle", "msgpack", "raw", "auth"})


def is_foreign(name: str) -> bool:
    """Whether somebody has registered a serializer of this name with Kombu."""
    return name in serialization.registry.name_to_type and name not in _KOMBUS_OWN


def name_of_foreign(content_type: str) -> str | None:
    """Its name by its content type, None where there is none."""
    name = serialization.registry.type_to_name.get(content_type)
    return name if isinstance(name, str) and is_foreign(name) else None


class ForeignSerializer(Serializer):
    """One of them, as a driver.  What its decoder can be talked into is not known, so it is accepted only by name."""

    trusts_sender = True

    def __init__(self, name: str) -> None:
        # Of the instance, unlike those of drivers.
        kind, encoding, _ = self._encoded(name, [])
        vars(self).update(name=name, content_type=kind, content_encoding=encoding)

    def _encoded(self, name: str, value: Any) -> tuple[str, str, bytes]:
        try:
            kind, encoding, data = serialization.dumps(value, serializer=name)
        except SerializerNotInstalled as error:
            raise SerializationError(str(error)) from error
        except Exception as error:
            raise SerializationError(f"the serializer {name!r} cannot write it: {error!r}"[:500]) from error
        return kind, encoding, data.encode("utf-8") if isinstance(data, str) else bytes(data)

    def dumps(self, value: Any) -> bytes:
        return self._encoded(self.name, value)[2]

    def loads(self, data: bytes) -> Any:
        try:
            return serialization.loads(data, self.content_type, self.content_encoding, accept={self.content_type})
        except CeleryError:
            raise
        except Exception as error:
            raise ProtocolError(f"not of the format of {self.name!r}: {error!r}"[:500]) from error
