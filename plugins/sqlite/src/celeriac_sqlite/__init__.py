"""The embedded broker and result store: one SQLite file, several processes, no server."""

from __future__ import annotations
