"""``--health``: whether the worker lives, is ready, and what it is at, over HTTP from its own loop."""

from __future__ import annotations
