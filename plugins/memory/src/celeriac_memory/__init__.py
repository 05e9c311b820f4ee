"""A broker and a result store that live and die with one process: the reference of both contracts."""

from __future__ import annotations
