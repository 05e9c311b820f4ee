"""A prefork pool on a real loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pools.driver import PoolDriver

from celeriac_prefork.pool import PreforkPool


class Driver(PoolDriver):
    pool_class = PreforkPool

    def until_ready(self) -> None:
        self.until(lambda: all(child.is_ready for child in self.pool._children) and self.pool._children)


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.close()
