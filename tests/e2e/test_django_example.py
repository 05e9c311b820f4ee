"""The example project of Django, from its migrations to the pages of its admin."""

from __future__ import annotations

import sys
import uuid

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_orders_are_baked_and_the_admin_shows_what_became_of_them(spawn, service, request, pytestconfig, where):
    options = ()
    if where == "postgresql":
        psycopg = pytest.importorskip("psycopg")
        server, name = service("postgresql"), f"bakery_{uuid.uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")

        def drop():
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

        request.addfinalizer(drop)
        options = ("--database", server.rpartition("/")[0] + f"/{name}")
    demo = spawn(sys.executable, pytestconfig.rootpath / "examples" / "django" / "demo.py", *options)
    assert demo.wait(55) == 0, demo.output()
    said = {
        line.split("\u2502")[1].strip(): line.split("\u2502")[2].strip()
        for line in demo.output().splitlines()
        if "\u2502" in line
    }
    assert said["orders baked"] == "1, 2, 3"
    assert said["refused, and shown in the admin"] == "4"
    assert said["mailed to the ADMINS"] == "[Django] Task bakery.tasks.bake failed"
