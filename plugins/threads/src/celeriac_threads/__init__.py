"""A pool of threads in the worker's own process."""

from __future__ import annotations
