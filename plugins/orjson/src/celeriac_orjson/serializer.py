"""The serializer: orjson for plain data, the kernel's JSON for all the rest, so that both always mean the same."""

from __future__ import annotations

import marshal
import re
from typing import Any, ClassVar, Final

import orjson

from celeriac.contracts import Serializer
from celeriac.protocol import json
from celeriac.protocol.json_limits import MAX_BYTES, nests_too_deep

#: A float that is no number, or infinite, in what marshal writes: its exponent has all bits set.  May also be found in
#: a text by chance, which costs time and nothing else.
_NO_NUMBER: Final = re.compile(rb"g.{6}[\xf0-\xff][\x7f\xff]", re.DOTALL)
#: An exact integer of the version of marshal that writes no references.
_VERSION: Final = 2
#: Numbers of so many digits may be larger than 64 bits, which orjson reads as floats.
_LONG: Final = b"0" * 19
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_EXTENDED: Final = b'"__type__"'


class OrjsonSerializer(Serializer):
    """The content type, and the values, of ``json``."""

    name: ClassVar[str] = "orjson"
    content_type: ClassVar[str] = "application/json"
    content_encoding: ClassVar[str] = "utf-8"

    def dumps(self, value: Any) -> bytes:
        # marshal refuses, at the speed of C, nearly all types that orjson would write in a way of its own (UUIDs,
        # dataclasses, datetimes, enumerations, subclasses), and shows the floats that orjson would write as null.
        try:
            if _NO_NUMBER.search(marshal.dumps(value, _VERSION)) is None:
                data = orjson.dumps(value)
                if len(data) <= MAX_BYTES:
                    return data
        except (ValueError, TypeError, RecursionError):
            pass  # the kernel writes it, or says what is wrong with it
        return json.dumps(value)

    def loads(self, data: bytes) -> Any:
        if len(data) > MAX_BYTES or _EXTENDED in data or _LONG in data.translate(_DIGITS) or nests_too_deep(data):
            return json.loads(data)
        try:
            return orjson.loads(data)
        except ValueError:  # NaN, half a surrogate pair, or no JSON at all
            return json.loads(data)
