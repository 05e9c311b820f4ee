"""Finding the app that ``-A`` names."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pkgutil import iter_modules
from traceback import extract_tb
from types import ModuleType
from typing import Any

from celeriac.app.base import Celery
from celeriac.exceptions import ImproperlyConfigured
from celeriac.plugin.spelling import did_you_mean


def find_app(path: str) -> Celery:
    """The app that `path` names.

    That is ``module``, ``module:attribute``, ``module.attribute``, or a package with a submodule ``celery``.  In a
    module the app is called ``app`` or ``celery``, or is the only one there.

    The current directory is looked in first.  Raises `ImproperlyConfigured`, saying what was tried, or where the
    module itself fails.
    """
    _refuse_file(path)
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    module_name, colon, attribute = path.partition(":")
    tried: list[str] = []
    if not colon:
        module = _module(module_name, tried)
        if module is None and "." in module_name:
            module_name, _, attribute = module_name.rpartition(".")
    if colon or attribute:
        module = _module(module_name, tried)
    if module is None:
        raise ImproperlyConfigured(
            f"cannot find the app {path!r}: tried {', '.join(tried)}, from {here}; --workdir names another directory"
            f".{_near(module_name, here)}"
        )
    found = _attribute(module, attribute, tried) if attribute else _in_module(module, tried)
    if found is None:
        raise ImproperlyConfigured(
            f"cannot find the app {path!r}: tried {', '.join(tried)}. Name it: -A {module_name}:name_of_the_app"
        )
    return found


def _near(name: str, directory: str) -> str:
    """A module of nearly that name that lies in the directory, as a question."""
    try:
        there = [found.name for found in iter_modules([directory])]
    except OSError:
        return ""
    return did_you_mean(name.partition(".")[0], there)


def _refuse_file(path: str) -> None:
    module = path.partition(":")[0]
    if not module:
        raise ImproperlyConfigured(f"cannot find the app {path!r}: it names no module. Name one, as in -A proj")
    if "/" in module or module.endswith(".py"):
        name = module.removesuffix(".py").rstrip("/").lstrip("./").replace("/", ".")
        raise ImproperlyConfigured(f"cannot find the app {path!r}: that is a file. Name the module: -A {name}")


def _module(name: str, tried: list[str]) -> ModuleType | None:
    """The module, None where there is none of that name.  Raises `ImproperlyConfigured` where it fails."""
    tried.append(f"module {name}")
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            return None
        raise _failed(name, error) from error
    except Exception as error:
        raise _failed(name, error) from error


def _failed(name: str, error: Exception) -> ImproperlyConfigured:
    told = " ".join(str(error).split())
    if isinstance(error, SyntaxError) and error.filename:
        told, place = str(error.msg), f" ({error.filename}, line {error.lineno})"
        return ImproperlyConfigured(f"the module {name} cannot be imported: {type(error).__name__}: {told}{place}")
    frames = [frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen ")]
    # The first frames are this module's.
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames and frames[-1].filename != __file__ else ""
    return ImproperlyConfigured(f"the module {name} cannot be imported: {type(error).__name__}: {told}{where}")


def _attribute(module: ModuleType, attribute: str, tried: list[str]) -> Celery | None:
    tried.append(f"attribute {module.__name__}:{attribute}")
    found: Any = module
    for part in attribute.split("."):
        inner = getattr(found, part, None)
        if inner is None and isinstance(found, ModuleType) and hasattr(found, "__path__"):
            inner = _module(f"{found.__name__}.{part}", tried)
        found = inner
    if isinstance(found, ModuleType):
        return _in_module(found, tried)
    return found if isinstance(found, Celery) else None


def _in_module(module: ModuleType, tried: list[str]) -> Celery | None:
    for name in ("app", "celery"):
        tried.append(f"attribute {module.__name__}:{name}")
        found = getattr(module, name, None)
        if isinstance(found, Celery):
            return found
    if hasattr(module, "__path__"):
        submodule = _module(f"{module.__name__}.celery", tried)
        if submodule is not None:
            return _in_module(submodule, tried)
    apps = {id(value): value for value in vars(module).values() if isinstance(value, Celery)}
    return next(iter(apps.values())) if len(apps) == 1 else None
