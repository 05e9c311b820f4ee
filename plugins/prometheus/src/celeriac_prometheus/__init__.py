"""Metrics of a worker for Prometheus, served by the worker itself."""

from __future__ import annotations
