"""Results and schedules in Django's database do what all of their kind must do."""

from __future__ import annotations

import gc

import pytest

from celeriac import Celery
from celeriac.testing.conformance import BackendHarness, BackendSuite, SchedulerHarness, SchedulerSuite

#: Threads of the suite leave their connections to be collected, which psycopg warns of.
LEFT_BY_THREADS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@LEFT_BY_THREADS
class TestResultsOnSqlite(BackendSuite):
    alias = "default"
    unclaimed = ("one TCP server", "passwords")

    @pytest.fixture(autouse=True)
    def _of(self, tables, monkeypatch):
        monkeypatch.setattr(tables, "alias", self.alias)
        yield
        gc.collect()

    def make_harness(self):
        return BackendHarness("django-db")


class TestResultsOnPostgres(TestResultsOnSqlite):
    alias = "postgres"


class TestResultsOnMariadb(TestResultsOnSqlite):
    alias = "mariadb"


class TestSchedulesOnSqlite(SchedulerSuite):
    alias = "default"

    @pytest.fixture(autouse=True)
    def _of(self, tables, monkeypatch):
        monkeypatch.setattr(tables, "alias", self.alias)
        tables.forget_schedules()
        with Celery("conformance", broker="memory://", set_as_current=False) as self.app:
            yield

    def make_harness(self):
        return SchedulerHarness("django", self.app)


class TestSchedulesOnPostgres(TestSchedulesOnSqlite):
    alias = "postgres"


class TestSchedulesOnMariadb(TestSchedulesOnSqlite):
    alias = "mariadb"
