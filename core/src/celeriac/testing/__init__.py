"""Support for testing what is built on or for Celeriac."""

from __future__ import annotations
