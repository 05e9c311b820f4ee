"""``celeriac.apps.beat:Beat``: beat as a program."""

from __future__ import annotations

from celeriac.beat.program import Beat

__all__ = ["Beat"]
