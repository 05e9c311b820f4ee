"""Pickles that Celery's programs and ours can both read, whichever of the two wrote them."""

from __future__ import annotations

import io
import pickle  # the user has asked for it by name
from typing import Any, Final

_OURS: Final = "celeriac"
_CELERYS: Final = "celery"


class Pickler(pickle.Pickler):
    """Writes signatures as the maps that they are: a program of Celery has no class of ours."""

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if isinstance(obj, dict) and _is_of(kind.__module__, _OURS):
            return dict, (dict(obj),)
        return NotImplemented


class Unpickler(pickle.Unpickler):
    """Finds classes of Celery under our name."""

    def find_class(self, module: str, name: str, /) -> Any:
        if _is_of(module, _CELERYS):
            try:
                return super().find_class(_OURS + module.removeprefix(_CELERYS), name)
            except (ImportError, AttributeError):
                pass  # a program that has Celery too may have this one
        return super().find_class(module, name)


def _is_of(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def dumps(value: Any, protocol: int) -> bytes:
    """Raises whatever the value raises."""
    file = io.BytesIO()
    Pickler(file, protocol).dump(value)
    return file.getvalue()


def loads(data: bytes) -> Any:
    """Raises whatever the data raises."""
    return Unpickler(io.BytesIO(data)).load()
