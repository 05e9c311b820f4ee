"""A pool of forked child processes, which always knows what a child that died may have begun."""

from __future__ import annotations
