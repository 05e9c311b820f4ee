"""A pool of greenlets."""

from __future__ import annotations
