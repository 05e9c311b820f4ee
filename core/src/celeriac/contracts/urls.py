"""URLs as they may be shown."""

from __future__ import annotations

import re
from typing import Final

_PASSWORD: Final = re.compile(r"(?P<before>[a-z0-9+.\-]*://[^/?#@:]*:)(?P<secret>[^/?#]*)(?=@)", re.IGNORECASE)
_QUERY: Final = re.compile(r"(?P<name>[?&](?:password|passwd|secret|token|access_key|api_key)=)[^&#;]*", re.IGNORECASE)
MASK: Final = "**"


def mask_password(url: str) -> str:
    """`url` with each password replaced by two asterisks, also in failover lists and query strings."""
    parts = (_PASSWORD.sub(lambda found: found["before"] + MASK, part) for part in url.split(";"))
    return ";".join(_QUERY.sub(lambda found: found["name"] + MASK, part) for part in parts)


def scheme_of(url: str) -> str:
    """The part before ``://`` (of the first URL of a failover list), or the whole word where there is none."""
    return url.split(";", 1)[0].partition("://")[0]
