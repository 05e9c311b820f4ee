"""Values that have to cross to another process (``celery.utils.serialization``)."""

from __future__ import annotations

import pickle
from base64 import b64decode as _b64decode
from base64 import b64encode as _b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps as _dumps_json
from kombu.utils.json import loads as _loads_json

_TRUE: Final = {"true", "yes", "1", "on"}
_FALSE: Final = {"false", "no", "0", "off"}

pickle_loads = pickle.loads  # a name that is asked for; nothing here calls it on what others sent


class UnpickleableExceptionWrapper(Exception):
    """Says of an exception that cannot be pickled what it was."""

    def __init__(self, exc_module: str, exc_cls_name: str, exc_args: Any, text: str | None = None) -> None:
        self.exc_module = exc_module
        self.exc_cls_name = exc_cls_name
        self.exc_args = exc_args
        self.text = text
        super().__init__(exc_module, exc_cls_name, exc_args, text)

    def restore(self) -> BaseException:
        """An exception of a class of the same name."""
        return create_exception_cls(self.exc_cls_name, self.exc_module)(*self.exc_args)

    @classmethod
    def from_exception(cls, exc: BaseException) -> UnpickleableExceptionWrapper:
        """One that says what `exc` is."""
        return cls(type(exc).__module__, type(exc).__name__, [repr(arg) for arg in exc.args], repr(exc))

    def __str__(self) -> str:
        return self.text or super().__str__()


def strtobool(term: Any, table: Mapping[str, bool] | None = None) -> Any:
    """The truth of a word such as ``yes`` or ``off``.  Raises TypeError for any other."""
    if not isinstance(term, str):
        return term
    word = term.lower()
    if table is not None and word in table:
        return table[word]
    if table is None and word in _TRUE | _FALSE:
        return word in _TRUE
    raise TypeError(f"cannot coerce {term!r} to type bool")


def b64encode(s: Any) -> str:
    """Base64 text of text or bytes."""
    return str(bytes_to_str(_b64encode(str_to_bytes(s))))


def b64decode(s: Any) -> bytes:
    """The bytes that are in base64 text."""
    return _b64decode(str_to_bytes(s))


def subclass_exception(name: str, parent: type[BaseException], module: str) -> type[BaseException]:
    """A new class of exceptions."""
    return type(name, (parent,), {"__module__": module})


def create_exception_cls(name: str, module: str, parent: type[BaseException] | None = None) -> type[BaseException]:
    """The same; of plain exceptions unless `parent` is given."""
    return subclass_exception(name, parent or Exception, module)


def find_pickleable_exception(
    exc: BaseException, loads: Callable[..., Any] = pickle_loads, dumps: Callable[..., Any] = pickle.dumps
) -> BaseException | None:
    """An exception of the nearest class of its own that can be pickled; None where it is itself."""
    try:
        loads(dumps(exc))
    except Exception:  # noqa: BLE001  # whatever a class does in there
        for kind in type(exc).__mro__[1:]:
            if kind in {Exception, BaseException, object}:
                break
            try:
                found = kind(*exc.args)
                loads(dumps(found))
            except Exception:  # noqa: BLE001, S112  # as above
                continue
            return found if isinstance(found, BaseException) else None
    return None


def get_pickleable_exception(exc: BaseException) -> BaseException:
    """The exception, or one that says the same and can be pickled."""
    try:
        pickle_loads(pickle.dumps(exc))
    except Exception:  # noqa: BLE001  # whatever its class does in there
        found: BaseException = find_pickleable_exception(exc) or UnpickleableExceptionWrapper.from_exception(exc)
        return found
    return exc


def get_pickleable_etype(
    cls: type[BaseException], loads: Callable[..., Any] = pickle_loads, dumps: Callable[..., Any] = pickle.dumps
) -> type[BaseException]:
    """The class, or the nearest of its own that can be pickled."""
    for kind in cls.__mro__:
        try:
            loads(dumps(kind))
        except Exception:  # noqa: BLE001, S112  # whatever a metaclass does in there
            continue
        return kind
    return Exception


def get_pickled_exception(exc: Any) -> Any:
    """The original of an exception that had to be wrapped."""
    return exc.restore() if isinstance(exc, UnpickleableExceptionWrapper) else exc


def raise_with_context(exc: BaseException) -> NoReturn:
    """Raise it, as the consequence of what is being handled."""
    raise exc


def jsonify(obj: Any, **_: Any) -> Any:
    """The value as JSON has it."""
    return _loads_json(_dumps_json(obj))


__all__ = [
    "UnpickleableExceptionWrapper",
    "b64decode",
    "b64encode",
    "create_exception_cls",
    "find_pickleable_exception",
    "get_pickleable_etype",
    "get_pickleable_exception",
    "get_pickled_exception",
    "jsonify",
    "raise_with_context",
    "strtobool",
    "subclass_exception",
]
