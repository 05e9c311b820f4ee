"""Our schedulers do what every one must do."""

from __future__ import annotations

import pytest

from celeriac import Celery
from celeriac.testing.conformance import SchedulerHarness, SchedulerSuite


class TestPersistent(SchedulerSuite):
    @pytest.fixture(autouse=True)
    def _of(self, make_app, tmp_path):
        self.app, self.file = make_app(), str(tmp_path / "schedule")

    def make_harness(self):
        return SchedulerHarness("persistent", self.app, schedule_filename=self.file)


class TestStoreOnMemory(SchedulerSuite):
    @pytest.fixture(autouse=True)
    def _of(self, make_app):
        self.app = make_app()

    def make_harness(self):
        return SchedulerHarness("store", self.app)


class TestStoreOnSqlite(SchedulerSuite):
    @pytest.fixture(autouse=True)
    def _of(self, tmp_path):
        url = f"sqlite:///{tmp_path / 'store.db'}"
        with Celery("conformance", broker=url, backend=url, set_as_current=False) as self.app:
            yield

    def make_harness(self):
        return SchedulerHarness("store", self.app)
