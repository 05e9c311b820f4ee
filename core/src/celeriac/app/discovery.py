"""Importing the modules in which tasks are defined."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


def discover(packages: Iterable[str], related_name: str | None = "tasks") -> list[ModuleType]:
    """Import ``package.related_name`` of each package that has it; without a name, the packages themselves.

    A package that is missing, or a module that fails to import, raises what Python raises.
    """
    found: list[ModuleType] = []
    for package in packages:
        module = import_module(package)
        if not related_name:
            found.append(module)
        elif hasattr(module, "__path__") and find_spec(f"{package}.{related_name}") is not None:
            found.append(import_module(f"{package}.{related_name}"))
    return found
