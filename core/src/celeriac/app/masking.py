"""Settings as they may be shown: passwords in URLs, and what is kept under a telling name, are left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from celeriac.contracts.urls import MASK, mask_password

_TELLING: Final = re.compile(r"passw|pass(phrase)?$|secret|token|credential|(api|access|private)_?key", re.IGNORECASE)


def masked(value: Any) -> Any:
    """`value` without its secrets, at any depth; what is no text and no container stays as it is."""
    if isinstance(value, str):
        return mask_password(value)
    if isinstance(value, Mapping):
        return {key: MASK if _is_secret(key, item) else masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    return value


def _is_secret(key: Any, value: Any) -> bool:
    return isinstance(value, (str, bytes)) and bool(value) and isinstance(key, str) and bool(_TELLING.search(key))
