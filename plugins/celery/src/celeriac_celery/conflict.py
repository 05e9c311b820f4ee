"""Celery itself, installed beside this: both are the package ``celery``, and that is said once, in one line."""

from __future__ import annotations

import os
import sys
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_REMEDY = (
    "Keep one. Celeriac: pip uninstall -y celery && pip install --force-reinstall --no-deps celeriac-celery. "
    "Celery: pip uninstall -y celeriac-celery && pip install --force-reinstall --no-deps celery"
)
#: By which Python knows that a warning was shown.
_told: dict[Any, Any] = {}


def found() -> str | None:
    """What is wrong with the package ``celery``; None where it is ours alone."""
    origin = _origin()
    if origin is None or not os.path.exists(os.path.join(os.path.dirname(origin), "app", "__init__.py")):
        # Of ours there are stubs alone; one that is something else altogether was written by whoever runs this.
        return None if origin is None or _is_ours(origin) else _line(f"`import celery` finds {origin}")
    if _is_ours(origin):
        return _line("Celeriac's is in use, among the files of the other")
    return _line(f"`import celery` finds Celery's own package ({origin})")


def is_shadowed() -> bool:
    """Whether ``import celery`` finds another package than ours."""
    origin = _origin()
    return origin is not None and not _is_ours(origin)


def tell() -> None:
    """Warn, if something is wrong; once in a process."""
    if (line := found()) is not None:
        # Said of no line of anybody's: a second line of output would show that.
        warnings.warn_explicit(line, UserWarning, "celery", 0, registry=_told)


def _line(which: str) -> str:
    return f"celery and celeriac-celery are both installed, and both are the package `celery`; {which}. {_REMEDY}"


def _origin() -> str | None:
    """The file of the package, loaded or not."""
    if (loaded := sys.modules.get("celery")) is not None:
        return getattr(loaded, "__file__", None)
    from importlib.util import find_spec  # few get here

    return getattr(find_spec("celery"), "origin", None)


def _is_ours(origin: str) -> bool:
    with open(origin, encoding="utf-8") as file:
        return "celeriac_celery" in file.read()
