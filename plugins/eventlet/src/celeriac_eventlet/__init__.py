"""A pool of green threads."""

from __future__ import annotations
