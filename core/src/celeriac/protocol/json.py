"""JSON with the extended types that Kombu writes: ``{"__type__": name, "__value__": value}``.

Beyond those, sets are kept, in the same form, which Kombu's readers refuse unless they are taught it by their own
`register_type`; and a dataclass is written as the map of its fields.
"""

from __future__ import annotations

import dataclasses
import json
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from json import encoder as json_encoder
from typing import Any, Final, TypeVar

from celeriac.exceptions import ProtocolError, SerializationError
from celeriac.protocol.json_limits import MAX_BYTES, MAX_DEPTH, nests_too_deep
from celeriac.protocol.json_offender import find_offender
from celeriac.protocol.shapes import described

__all__ = ["MAX_BYTES", "MAX_DEPTH", "dumps", "encoder_of", "is_read_by_kombu", "loads", "register_type"]

T = TypeVar("T")

_TYPE: Final = "__type__"
_VALUE: Final = "__value__"
_MARK: Final = b'"__type__"'
_ENVELOPE: Final = frozenset({_TYPE, _VALUE})

_encoders: dict[type, tuple[str | None, Callable[[Any], Any]]] = {}
_decoders: dict[str, Callable[[Any], Any]] = {}


def register_type(
    kind: type[T],
    marker: str | None,
    encoder: Callable[[T], Any],
    decoder: Callable[[Any], T] | None = None,
) -> None:
    """Teach JSON the type `kind` and its subclasses: `encoder` makes of it what JSON knows already.

    `marker` is the name on the wire that `decoder` is found by; None writes the bare value, and then
    it is read back as that. For start-up time: what is registered serves every thread and app of the process.
    """
    _encoders[kind] = (marker, encoder)
    if marker is not None and decoder is not None:
        _decoders[marker] = decoder


def _encode_bytes(value: bytes) -> dict[str, str]:
    try:
        return {_TYPE: "bytes", _VALUE: value.decode("utf-8")}
    except UnicodeDecodeError:
        return {_TYPE: "base64", _VALUE: b64encode(value).decode("ascii")}


#: What comes back as something that can be in a set.
_ELEMENTS: Final = (str, int, float, type(None), date, time, Decimal, uuid.UUID, bytes, frozenset)


def _encode_set(value: set[Any] | frozenset[Any]) -> list[Any]:
    for element in value:
        if not isinstance(element, _ELEMENTS):
            raise TypeError(f"a set that holds a {type(element).__name__} would not come back as one")
    return list(value)


def _set_decoder(kind: Callable[[list[Any]], T]) -> Callable[[Any], T]:
    def decode(found: Any) -> T:
        if not isinstance(found, list):
            raise TypeError("a set is written as a list")
        # Numbers that a stranger has chosen to have one hash would take a time that grows with the square of them.
        if len(set(map(hash, found))) * 4 < len(found):
            raise ValueError("the elements of a set collide")
        return kind(found)

    return decode


# datetime before date, whose subclass it is: a subclass of either is found by the first that fits
register_type(datetime, "datetime", datetime.isoformat, datetime.fromisoformat)
register_type(date, "date", date.isoformat, lambda text: datetime.fromisoformat(text).date())
register_type(time, "time", time.isoformat, time.fromisoformat)
register_type(Decimal, "decimal", str, Decimal)
register_type(uuid.UUID, "uuid", lambda value: {"hex": value.hex}, lambda value: uuid.UUID(hex=value["hex"]))
register_type(bytes, None, _encode_bytes)
register_type(set, "set", _encode_set, _set_decoder(set))
register_type(frozenset, "frozenset", _encode_set, _set_decoder(frozenset))
_decoders["bytes"] = lambda text: text.encode("utf-8")
_decoders["base64"] = lambda text: b64decode(text, validate=True)


def _default(value: Any) -> Any:
    """Called by the encoder for each value that plain JSON does not know."""
    known = _encoders.get(type(value))
    if known is None:
        reducer = getattr(value, "__json__", None)
        if reducer is not None and not isinstance(value, type):
            return reducer()
        for kind, entry in _encoders.items():
            if isinstance(value, kind):
                known = entry
                break
        else:
            if dataclasses.is_dataclass(value) and not isinstance(value, type):
                return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            raise TypeError(f"object of type {type(value).__name__} is not JSON serialisable")
    marker, encoder = known
    return encoder(value) if marker is None else {_TYPE: marker, _VALUE: encoder(value)}


def encoder_of(default: Callable[[Any], Any], *, skip_keys: bool = False) -> Callable[[Any], str]:
    """What writes compact ASCII JSON; `default` gives what is written for a value that JSON has no word for.

    With `skip_keys` what has a key that JSON cannot have is left out.  Raises RecursionError for a cycle, else as
    `json.dumps`.
    """
    make = getattr(json_encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without the accelerator
        return json.JSONEncoder(default=default, skipkeys=skip_keys, separators=(",", ":"), check_circular=False).encode
    # Built once: JSONEncoder.encode makes a new one at each call. No markers: a cycle ends as RecursionError.
    accelerated = make(None, default, json_encoder.encode_basestring_ascii, None, ":", ",", False, skip_keys, True)
    join = "".join

    def encode(value: Any) -> str:
        return join(accelerated(value, 0))

    return encode


_encode: Final = encoder_of(_default)


def dumps(value: Any) -> bytes:
    """`value` as compact ASCII JSON.

    Raises SerializationError, which names the place of the value that cannot be written (not
    serialisable, a cycle, nested deeper than MAX_DEPTH), or says that the whole is longer than MAX_BYTES.
    """
    try:
        data = _encode(value).encode("ascii")
    except Exception as exc:  # __json__ and registered encoders may raise anything
        raise SerializationError(find_offender(value, _default, exc)) from exc
    if len(data) > MAX_BYTES:
        raise SerializationError(
            f"the JSON text would be {len(data)} bytes, more than {MAX_BYTES}; store the data elsewhere and send where"
        )
    if nests_too_deep(data):
        raise SerializationError(find_offender(value, _default, None))
    return data


def is_read_by_kombu(value: Any) -> bool:
    """Whether Kombu's JSON reads what is written of `value`: all but sets.  Raises as `dumps`."""
    data = dumps(value)
    return b'"__type__":"set"' not in data and b'"__type__":"frozenset"' not in data


_raw_decode: Final = json.JSONDecoder().raw_decode
_WHITESPACE: Final = " \t\n\r"


def loads(data: bytes | bytearray | memoryview | str) -> Any:
    """Read JSON; NaN and Infinity are accepted, and of duplicate keys the last counts.

    Raises ProtocolError for everything that is not JSON in UTF-8, for an unknown ``__type__``, and for data that is
    longer than MAX_BYTES or nested deeper than MAX_DEPTH.
    """
    try:
        if isinstance(data, str):
            text, raw = data, data.encode("utf-8", "surrogatepass")
        else:
            raw = data if isinstance(data, bytes) else bytes(data)
            text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ProtocolError(f"not JSON: invalid UTF-8 at byte {exc.start}") from None
    if len(raw) > MAX_BYTES:
        raise ProtocolError(f"JSON text of {len(raw)} bytes is longer than the {MAX_BYTES} that are read")
    # The mark written with escapes stays a plain map, which is harmless.
    decode = _decode_extended if _MARK in raw else _raw_decode
    try:
        if nests_too_deep(raw):
            raise ProtocolError(f"JSON nested deeper than {MAX_DEPTH} levels is not read")
        if text[:1] in _WHITESPACE:
            text = text.strip(_WHITESPACE)
        value, end = decode(text)
    except ProtocolError:
        raise
    except RecursionError:
        raise ProtocolError("JSON is nested deeper than this thread's stack allows") from None
    except ValueError as exc:  # JSONDecodeError, or an integer with more digits than int() takes
        raise ProtocolError(f"not JSON: {str(exc)[:200]}") from None
    if end != len(text) and text[end:].strip(_WHITESPACE):
        raise ProtocolError(f"not JSON: something follows the value at character {end}")
    return value


def _object_hook(found: dict[str, Any]) -> Any:
    if found.keys() != _ENVELOPE:
        return found
    marker = found[_TYPE]
    decoder = _decoders.get(marker) if isinstance(marker, str) else None
    if decoder is None:
        raise ProtocolError(f"JSON holds a value of the unknown type {described(marker)}")
    try:
        return decoder(found[_VALUE])
    except Exception as exc:  # Decimal, UUID and foreign decoders raise errors of their own
        raise ProtocolError(f"JSON holds a malformed {marker}: {described(found[_VALUE])}") from exc


_decode_extended: Final = json.JSONDecoder(object_hook=_object_hook).raw_decode
