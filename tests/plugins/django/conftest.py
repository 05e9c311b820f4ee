"""A real Django project, copied for each test, with its database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

PROJECT = Path(__file__).parent / "project"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("django") / "project"
    shutil.copytree(PROJECT, directory, ignore=shutil.ignore_patterns("__pycache__"))
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=directory, check=True, timeout=60)
    return directory


@pytest.fixture
def project(tmp_path, migrated) -> Path:
    return shutil.copytree(migrated, tmp_path / "project")


@pytest.fixture
def start_worker(project, spawn) -> Callable:
    """Return ``start_worker(pool, env=None)``; the worker is the installed command, which knows no directory."""

    def start(pool: str, env: dict[str, str] | None = None):
        command = Path(sys.executable).with_name("celeriac")
        worker = spawn(command, "-A", "proj", "worker", "-P", pool, "-c", "1", "-l", "INFO", cwd=project, env=env)
        worker.wait_for_output("ready.", timeout=30)
        return worker

    return start


@pytest.fixture
def in_project(project, spawn) -> Callable:
    """Return ``in_project(code, env=None)``: runs it as a program of the project, gives what it set as ``answer``."""

    def run(code: str, env: dict[str, str] | None = None):
        program = "import django, json\ndjango.setup()\n" + code + "\nprint('answer=' + json.dumps(answer))"
        environment = {"DJANGO_SETTINGS_MODULE": "proj.settings", **(env or {})}
        spawned = spawn(sys.executable, "-c", program, cwd=project, env=environment)
        assert spawned.wait(40) == 0, spawned.output()
        return json.loads(spawned.output().rpartition("answer=")[2])

    return run


@pytest.fixture(scope="session")
def postgres(service):
    """A database of this run's own, as Django's settings name it."""
    import psycopg

    url, name = service("postgresql"), f"celeriac_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    yield {"ENGINE": "django.db.backends.postgresql", "NAME": name, **_there(url)}
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_postgres(migrated, postgres):
    """The same, with the tables of the project."""
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    env = {**os.environ, "DATABASE": json.dumps(postgres)}
    subprocess.run(migrate, cwd=migrated, check=True, timeout=60, env=env)
    return postgres


@pytest.fixture(scope="session")
def mariadb(service):
    """The same on MariaDB."""
    import pymysql

    pymysql.install_as_MySQLdb()
    url, name = service("mariadb"), f"celeriac_{uuid.uuid4().hex}"
    there = _there(url)
    with pymysql.connect(
        host=there["HOST"], port=there["PORT"], user=there["USER"], password=there["PASSWORD"]
    ) as server:
        server.cursor().execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        yield {"ENGINE": "django.db.backends.mysql", "NAME": name, **there}
        server.ping()
        server.cursor().execute(f"DROP DATABASE {name}")


def _there(url):
    parts = urlsplit(url)
    return {"HOST": parts.hostname, "PORT": parts.port, "USER": parts.username, "PASSWORD": parts.password or ""}


@pytest.fixture(scope="session")
def tables(tmp_path_factory, postgres, mariadb):
    """The router of three databases with the tables: ``default`` is a file, the others are on servers."""
    sys.path.insert(0, str(Path(__file__).parent))
    import tables

    file = tmp_path_factory.mktemp("django") / "tables.sqlite3"
    tables.configure(
        default={"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": {"timeout": 20}},
        postgres=postgres,
        mariadb=mariadb,
    )
    yield tables.Chosen
    tables.close()
