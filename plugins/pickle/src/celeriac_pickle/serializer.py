"""The serializer: whatever Python can pickle."""

from __future__ import annotations

import os
import pickle  # the user has asked for it by name
from typing import Any, ClassVar, Final

from celeriac.contracts import Serializer
from celeriac.exceptions import ImproperlyConfigured, ProtocolError, SerializationError
from celeriac.protocol.offender import find_refused
from celeriac_pickle import names

#: The longest that is read or written, in bytes; that of JSON.
MAX_BYTES: Final = 128 * 1024 * 1024
#: The variable that users of Celery know; its default is what every Python that we run on reads.
_VARIABLE: Final = "PICKLE_PROTOCOL"
_DEFAULT: Final = 4


def chosen_protocol() -> int:
    """The pickle protocol that is written.  Raises `ImproperlyConfigured` for one that this Python does not have."""
    given = os.environ.get(_VARIABLE)
    if given is None:
        return _DEFAULT
    if not given.isdecimal() or int(given) > pickle.HIGHEST_PROTOCOL:
        raise ImproperlyConfigured(
            f"the variable {_VARIABLE} is {given!r}: it must be a number from 0 to {pickle.HIGHEST_PROTOCOL}"
        )
    return int(given)


class PickleSerializer(Serializer):
    """Decoding runs code of the sender's choice: that is what pickle is."""

    name: ClassVar[str] = "pickle"
    content_type: ClassVar[str] = "application/x-python-serialize"
    content_encoding: ClassVar[str] = "binary"
    trusts_sender: ClassVar[bool] = True

    def __init__(self) -> None:
        self._protocol = chosen_protocol()

    def dumps(self, value: Any) -> bytes:
        try:
            data = self._pickled(value)
        except Exception as error:  # of any __reduce__ and __getstate__
            path, part = find_refused(value, self._pickled)
            told = f"{path}: object of type {type(part).__name__} cannot be pickled: {str(error)[:200]}"
            raise SerializationError(told) from error
        if len(data) > MAX_BYTES:
            raise SerializationError(
                f"the pickle would be {len(data)} bytes, more than {MAX_BYTES}; store the data elsewhere and send where"
            )
        return data

    def _pickled(self, value: Any) -> bytes:
        return names.dumps(value, self._protocol)

    def loads(self, data: bytes) -> Any:
        if len(data) > MAX_BYTES:
            raise ProtocolError(f"a pickle of {len(data)} bytes is longer than the {MAX_BYTES} that are read")
        try:
            return names.loads(data)
        except Exception as error:  # of any __setstate__, and of modules that are imported
            raise ProtocolError(f"not a pickle that can be read here: {type(error).__name__}: {error}"[:400]) from error
