"""What annotations say (``celery.utils.annotations``)."""

from __future__ import annotations

import types
from typing import Any, TypeGuard, Union, get_args, get_origin


def is_none_type(value: Any) -> bool:
    """Whether it is the type of None."""
    return value is type(None)


def get_optional_arg(annotation: Any) -> Any:
    """``X`` of ``X | None``; None for anything else."""
    if get_origin(annotation) not in {Union, types.UnionType}:
        return None
    others = [each for each in get_args(annotation) if not is_none_type(each)]
    return others[0] if len(others) == 1 == len(get_args(annotation)) - 1 else None


def annotation_is_class(annotation: Any) -> TypeGuard[type]:
    """Whether it is a class, and not something like ``list[int]``."""
    return isinstance(annotation, type) and get_origin(annotation) is None


def annotation_issubclass(annotation: Any, cls: type) -> bool:
    """Whether it is a subclass of `cls`."""
    return annotation_is_class(annotation) and issubclass(annotation, cls)


__all__ = ["annotation_is_class", "annotation_issubclass", "get_optional_arg", "is_none_type"]
