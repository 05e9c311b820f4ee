"""The worker: claims messages, hands them to a pool, settles them."""

from __future__ import annotations
