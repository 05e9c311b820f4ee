"""Headers as AMQP has them: tables of named values, each behind a letter that says what it is.

The client library reads and writes them too, in several times the time, which is most of what a message costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from struct import Struct, error
from typing import Any, Final

#: How deep tables and lists may be in each other.
DEEPEST: Final = 64
#: Names of headers that are remembered; those of hostile messages are made anew.
_MOST_NAMES: Final = 1000

_int32, _uint32, _int64, _uint64 = Struct(">i"), Struct(">I"), Struct(">q"), Struct(">Q")
_read_length = _uint32.unpack_from
_read_int32 = _int32.unpack_from
_float = Struct(">d")
_string = Struct(">BI")
_STR, _INT32, _NOTHING, _TABLE, _LIST, _TRUTH = b"SIVFAt"
_LETTER_STR, _LETTER_INT32, _LETTER_INT64, _LETTER_FLOAT = b"S", b"I", b"L", b"d"
_SCALE = Struct(">Bi")

#: Letter to how the value is laid out, where that is one number.
_NUMBERS: Final = {
    ord(letter): Struct(f">{layout}")
    for letter, layout in {
        "s": "h",
        "b": "b",
        "B": "B",
        "U": "h",
        "u": "H",
        "i": "I",
        "L": "q",
        "l": "q",
        "f": "f",
        "d": "d",
    }.items()
}

_names: dict[bytes, str] = {}
_written_names: dict[str, bytes] = {}


class TableError(ValueError):
    """Bytes that are no table, or a value that none can hold."""


# --- reading ----------------------------------------------------------------------------------------------------------


def read_table(data: bytes, at: int = 0) -> tuple[dict[str, Any], int]:
    """The table that begins at `at`, and where it ends.  Raises `TableError`."""
    try:
        return _read_table(data, at, 0)
    except TableError:
        raise
    except (error, IndexError, ValueError, OverflowError, OSError) as wrong:
        raise TableError(f"not a table: {wrong}") from None


def _read_table(data: bytes, at: int, depth: int) -> tuple[dict[str, Any], int]:
    (length,) = _read_length(data, at)
    at += 4
    end = at + length
    if end > len(data):
        raise TableError("a table is cut off")
    found: dict[str, Any] = {}
    names = _names
    while at < end:
        start = at + 1
        at = start + data[at]
        raw = data[start:at]
        name = names.get(raw)
        if name is None:
            name = _remembered(raw)
        letter = data[at]
        if letter == _STR:
            start = at + 5
            at = start + _read_length(data, at + 1)[0]
            try:
                found[name] = data[start:at].decode()
            except UnicodeDecodeError:
                found[name] = data[start:at]
        elif letter == _NOTHING:
            found[name] = None
            at += 1
        elif letter == _INT32:
            (found[name],) = _read_int32(data, at + 1)
            at += 5
        elif letter == _TRUTH:
            found[name] = data[at + 1] != 0
            at += 2
        else:
            found[name], at = _read_value(data, at, depth)
    if at != end:
        raise TableError("a value reaches beyond its table")
    return found, at


def _remembered(raw: bytes) -> str:
    name = raw.decode()
    if len(_names) < _MOST_NAMES:
        _names[raw] = name
    return name


def _read_value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    letter = data[at]
    at += 1
    if letter in {_TABLE, _LIST}:
        if depth >= DEEPEST:
            raise TableError(f"tables and lists are more than {DEEPEST} deep in each other")
        return (_read_table if letter == _TABLE else _read_list)(data, at, depth + 1)
    if (number := _NUMBERS.get(letter)) is not None:
        return number.unpack_from(data, at)[0], at + number.size
    return _read_rare(data, chr(letter), at)


def _read_rare(data: bytes, letter: str, at: int) -> tuple[Any, int]:
    match letter:
        case "t":
            return data[at] != 0, at + 1
        case "V":
            return None, at
        case "I":
            return _read_int32(data, at)[0], at + 4
        case "T":
            (seconds,) = _uint64.unpack_from(data, at)
            return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None), at + 8
        case "D":
            scale, number = _SCALE.unpack_from(data, at)
            return Decimal(number).scaleb(-scale), at + 5
        case "S" | "x":
            start = at + 4
            end = start + _read_length(data, at)[0]
            value = data[start:end]
            if letter == "x":
                return value, end
            try:
                return value.decode(), end
            except UnicodeDecodeError:
                return value, end
    raise TableError(f"no value begins with the letter {letter!r}")


def _read_list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    (length,) = _read_length(data, at)
    at += 4
    end = at + length
    if end > len(data):
        raise TableError("a list is cut off")
    found: list[Any] = []
    while at < end:
        if data[at] == _NOTHING:
            value = None
            at += 1
        else:
            value, at = _read_value(data, at, depth)
        found.append(value)
    return found, at


# --- writing ----------------------------------------------------------------------------------------------------------


def write_table(table: Mapping[str, Any]) -> bytes:
    """The bytes of a table.  Raises `TableError`, which names what cannot be written."""
    return _write_table(table, 0)


def _write_table(table: Mapping[str, Any], depth: int) -> bytes:
    parts: list[bytes] = []
    add = parts.append
    known, pack = _written_names, _string.pack
    for name, value in table.items():
        add(known.get(name) or _write_name(name))
        if value is None:
            add(b"V")
        elif type(value) is str:
            encoded = value.encode("utf-8", "surrogatepass")
            add(pack(_STR, len(encoded)))
            add(encoded)
        else:
            try:
                add(_write_value(value, depth))
            except TableError as wrong:
                raise TableError(f"{name}: {wrong}") from None
    inner = b"".join(parts)
    return _uint32.pack(len(inner)) + inner


def _write_name(name: str) -> bytes:
    raw = name.encode()
    if len(raw) > 255:
        raise TableError(f"the name {name[:40]!r}... is longer than 255 bytes")
    written = bytes((len(raw),)) + raw
    if len(_written_names) < _MOST_NAMES:
        _written_names[name] = written
    return written


def _write_value(value: Any, depth: int) -> bytes:  # one case for each kind
    if value is None:
        return b"V"
    if isinstance(value, bool):
        return b"t\x01" if value else b"t\x00"
    if isinstance(value, int):
        if -0x7FFFFFFF <= value <= 0x7FFFFFFF:
            return _LETTER_INT32 + _int32.pack(value)
        try:
            return _LETTER_INT64 + _int64.pack(value)
        except error:
            raise TableError(f"{value} has more than 64 bits") from None
    if isinstance(value, float):
        return _LETTER_FLOAT + _float.pack(value)
    if isinstance(value, str | bytes | bytearray):
        encoded = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)
        return _LETTER_STR + _uint32.pack(len(encoded)) + encoded
    return _write_rare(value, depth)


def _write_rare(value: Any, depth: int) -> bytes:
    if isinstance(value, Mapping | list | tuple):
        if depth >= DEEPEST:
            raise TableError(f"tables and lists are more than {DEEPEST} deep in each other")
        if isinstance(value, Mapping):
            return b"F" + _write_table({str(name): item for name, item in value.items()}, depth + 1)
        inner = b"".join([_write_value(item, depth + 1) for item in value])
        return b"A" + _uint32.pack(len(inner)) + inner
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return b"T" + _uint64.pack(int(aware.timestamp()))
    if isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        if isinstance(exponent, int) and -255 <= exponent <= 0:
            number = int("".join(map(str, digits)) or "0")
            try:
                return b"D" + _SCALE.pack(-exponent, -number if sign else number)
            except error:
                raise TableError(f"{value} has more than 32 bits") from None
    raise TableError(f"a header cannot hold {type(value).__name__} {value!r:.60}")
