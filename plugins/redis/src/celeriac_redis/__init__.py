"""Redis and Valkey as broker and result store, on the keys that Celery uses."""

from __future__ import annotations
