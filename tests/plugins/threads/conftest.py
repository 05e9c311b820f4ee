"""A thread pool on a real loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pools.driver import PoolDriver

from celeriac_threads.pool import ThreadPool


class Driver(PoolDriver):
    pool_class = ThreadPool


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.close()
