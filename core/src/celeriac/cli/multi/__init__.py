"""``celeriac multi``: several workers on this machine, started, stopped and listed by name."""

from __future__ import annotations
