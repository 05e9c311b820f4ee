"""Private keys, where users of Celery look for them; the plugin ``celeriac-auth`` brings what is here."""

from __future__ import annotations

from typing import Any

from celeriac.security.lending import lent

__all__ = ["PrivateKey"]  # noqa: F822  # made when they are first asked for


def __getattr__(name: str) -> Any:
    return lent(__name__, name, __all__)
