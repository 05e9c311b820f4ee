"""The serializer: YAML's safe types, as PyYAML's safe loader reads them, within limits."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import yaml

from celeriac.contracts import Serializer
from celeriac.exceptions import ProtocolError, SerializationError
from celeriac.protocol.offender import find_refused
from celeriac_yaml.limits import MAX_BYTES, TooMuch, check

# Those in C are ten times as fast; a PyYAML that was built without libyaml has none.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
#: Maps of so many keys are looked at.
_SMALL: Final = 1000
_HINT: Final = "pass plain data (an id, a string, a list, a dict), or use another serializer"
_HINTS: Final = {"Decimal": "pass str(value)", "UUID": "pass str(value)", "time": "pass value.isoformat()"}


class _Loader(_SafeLoader):  # type: ignore[misc]  # one of two classes
    """Builds no map or set whose keys were chosen to have one hash: that takes the square of the time."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        if len(node.value) > _SMALL:
            self.flatten_mapping(node)
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            if len(set(map(hash, keys))) * 4 < len(keys):
                raise TooMuch("the keys of a map collide")
        return super().construct_mapping(node, deep)


class _Dumper(_SafeDumper):  # type: ignore[misc]  # one of two classes
    """Writes what occurs twice twice: an alias would make one object of them at the reader's."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# Subclasses as what they derive from, as JSON writes them: a signature is a map.
_Dumper.add_multi_representer(dict, _SafeDumper.represent_dict)
_Dumper.add_multi_representer(list, _SafeDumper.represent_list)
_Dumper.add_multi_representer(tuple, _SafeDumper.represent_list)
_Dumper.add_multi_representer(str, _SafeDumper.represent_str)


class YamlSerializer(Serializer):
    """The types of JSON, and dates, times with a date, bytes and sets; tuples become lists."""

    name: ClassVar[str] = "yaml"
    content_type: ClassVar[str] = "application/x-yaml"
    content_encoding: ClassVar[str] = "utf-8"

    def dumps(self, value: Any) -> bytes:
        try:
            return _written(value)
        except TooMuch as error:
            raise SerializationError(f"the value cannot be written as YAML: {error}; pass flatter data") from error
        except Exception as error:  # of the emitter, the representer, a cycle
            raise SerializationError(_told(value, error)) from error

    def loads(self, data: bytes) -> Any:
        try:
            text = _decoded(data)
            check(yaml.parse(text, Loader=_Loader))
            return yaml.load(text, Loader=_Loader)  # noqa: S506  # a safe one
        except (TooMuch, UnicodeDecodeError) as error:
            raise ProtocolError(f"YAML that is not read: {error}") from None
        except Exception as error:  # noqa: BLE001  # the constructors raise many kinds for dates and numbers that are none
            raise ProtocolError(f"not YAML: {' '.join(str(error).split())}"[:300]) from None


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise TooMuch(f"it is longer than {MAX_BYTES} bytes")
    return data.decode("utf-8")


def _written(value: Any) -> bytes:
    # Flow style, so that no beginning of it is a whole text.
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, sort_keys=False)
    data = text.rstrip("\n").encode("utf-8")
    # What cannot be read must not be sent.
    check(yaml.parse(_decoded(data), Loader=_Loader))
    return data


def _told(value: Any, error: Exception) -> str:
    path, part = find_refused(value, _written)
    kind = type(part).__name__
    if isinstance(error, RecursionError):
        return f"{path}: it contains itself or nests too deep for YAML; pass flatter data"
    return f"{path}: object of type {kind} cannot be written as YAML; {_HINTS.get(kind, _HINT)}"
