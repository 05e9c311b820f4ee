"""Modules and names by their dotted names (``celery.utils.imports``)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module, reload
from types import ModuleType
from typing import Any

from kombu.utils.imports import symbol_by_name


class NotAPackage(Exception):
    """A module was looked for below one that is no package."""


def qualname(obj: Any) -> str:
    """The dotted name of a class, or of the class of an object."""
    if not hasattr(obj, "__name__") and hasattr(obj, "__class__"):
        obj = obj.__class__
    return f"{obj.__module__}.{getattr(obj, '__qualname__', obj.__name__)}"


def instantiate(name: Any, *args: Any, **kwargs: Any) -> Any:
    """An object of the class of that name."""
    return symbol_by_name(name)(*args, **kwargs)


@contextmanager
def cwd_in_path() -> Iterator[None]:
    """Look into the current directory first, while the block lasts."""
    here = os.getcwd()
    if here in sys.path:
        yield
        return
    sys.path.insert(0, here)
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)


def find_module(module: str, path: Any = None, imp: Callable[[str], ModuleType] | None = None) -> ModuleType | None:
    """The module, which may lie in the current directory.  Raises ImportError, and `NotAPackage`."""
    with cwd_in_path():
        parent, _, _ = module.rpartition(".")
        if parent and not hasattr(import_module(parent), "__path__"):
            raise NotAPackage(parent)
        return (imp or import_module)(module)


def import_from_cwd(module: str, imp: Callable[..., ModuleType] | None = None, package: str | None = None) -> Any:
    """Import a module, which may lie in the current directory."""
    with cwd_in_path():
        return (imp or import_module)(module, package=package)


def reload_from_cwd(module: ModuleType, reloader: Callable[[ModuleType], ModuleType] | None = None) -> ModuleType:
    """Import a module anew, which may lie in the current directory."""
    with cwd_in_path():
        return (reloader or reload)(module)


def module_file(module: ModuleType) -> str:
    """The source file of a module."""
    name = str(module.__file__)
    return name[:-1] if name.endswith(".pyc") else name


def gen_task_name(app: Any, name: str, module_name: str | None) -> str:
    """The name that `app` gives to a task of that function."""
    found: str = app.gen_task_name(name, module_name)
    return found


def load_extension_class_names(namespace: str) -> Iterator[tuple[str, str]]:
    """Name and class of the entry points of a group."""
    from importlib.metadata import entry_points  # few ask

    for found in entry_points(group=namespace):
        yield found.name, found.value


def load_extension_classes(namespace: str) -> Iterator[tuple[str, Any]]:
    """The same, imported."""
    for name, path in load_extension_class_names(namespace):
        yield name, symbol_by_name(path)


get_full_cls_name = qualname
get_cls_by_name = symbol_by_name

__all__ = [
    "NotAPackage",
    "cwd_in_path",
    "find_module",
    "gen_task_name",
    "get_cls_by_name",
    "get_full_cls_name",
    "import_from_cwd",
    "instantiate",
    "load_extension_class_names",
    "load_extension_classes",
    "module_file",
    "qualname",
    "reload_from_cwd",
    "symbol_by_name",
]
