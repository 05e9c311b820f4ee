"""Objects by their dotted names."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def symbol(path: Any) -> Any:
    """What ``package.module:attribute`` (or ``package.module.attribute``) names; anything but a text is itself.

    Raises `ImportError` if the module or the attribute is missing.
    """
    if not isinstance(path, str):
        return path
    module, colon, attribute = path.partition(":")
    if not colon:
        module, _, attribute = path.rpartition(".")
    found = import_module(module)
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise ImportError(f"{module} has no attribute {attribute!r}", name=module) from error
    return found
