"""Objects named by text: ``package.module:object``, or ``package.module.object`` as Celery also writes it."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def is_target(text: str) -> bool:
    """Whether the text names an object of a module beyond doubt."""
    module, colon, attribute = text.partition(":")
    return bool(colon) and _is_dotted_name(module) and _is_dotted_name(attribute)


def is_dotted(text: str) -> bool:
    """Whether the text may be ``package.module.object``."""
    return "." in text and _is_dotted_name(text)


def load(text: str) -> Any:
    """The object.  Raises what importing the module raises, or `AttributeError`."""
    module, colon, attribute = text.partition(":")
    if not colon:
        module, _, attribute = text.rpartition(".")
    value: Any = import_module(module)
    for name in attribute.split("."):
        value = getattr(value, name)
    return value


def load_module_or_object(text: str) -> Any:
    """The module of that name, or else the object.  Raises what importing raises, or `AttributeError`."""
    if ":" in text:
        return load(text)
    try:
        return import_module(text)
    except ModuleNotFoundError as error:
        if error.name != text or "." not in text:
            raise
        return load(text)


def _is_dotted_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
