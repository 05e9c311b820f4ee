"""Results and schedules in Django's database do what all of their kind must do."""

from __future__ import annotations

import gc
import sys
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from celeriac import Celery
from celeriac.testing.conformance import BackendHarness, BackendSuite, SchedulerHarness, SchedulerSuite


@pytest.fixture(scope="session")
def tables(tmp_path_factory, service):
    """The router of two databases with the tables: ``default`` is a file, ``postgres`` on the server."""
    import psycopg

    sys.path.insert(0, str(Path(__file__).parent))
    import tables

    url, name = service("postgresql"), f"celeriac_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    file = tmp_path_factory.mktemp("django") / "tables.sqlite3"
    parts = urlsplit(url)
    there = {"HOST": parts.hostname, "PORT": parts.port, "USER": parts.username, "PASSWORD": parts.password or ""}
    tables.configure(
        default={"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": {"timeout": 20}},
        postgres={"ENGINE": "django.db.backends.postgresql", "NAME": name, **there},
    )
    yield tables.Chosen
    tables.close()
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


#: Threads of the suite leave their connections to be collected, which psycopg warns of.
LEFT_BY_THREADS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@LEFT_BY_THREADS
class TestResultsOnSqlite(BackendSuite):
    alias = "default"

    @pytest.fixture(autouse=True)
    def _of(self, tables, monkeypatch):
        monkeypatch.setattr(tables, "alias", self.alias)
        yield
        gc.collect()

    def make_harness(self):
        return BackendHarness("django-db")


class TestResultsOnPostgres(TestResultsOnSqlite):
    alias = "postgres"


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
