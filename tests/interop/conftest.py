"""What the tests that have Celery beside ours share."""

from __future__ import annotations

from uuid import uuid4

import pytest
from redis import Redis


@pytest.fixture
def environment(redis_url):
    """Queues and results of the test's own, on the server that all share."""
    prefix = f"interop-{uuid4().hex}:"
    yield {"URL": redis_url, "PREFIX": prefix}
    with Redis.from_url(redis_url) as server:
        for key in server.scan_iter(f"{prefix}*", count=1000):
            server.delete(key)
