"""Results and failures of a project's tasks, in its own database, and Django's own tasks."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

RESULTS = {"RESULTS": "django-db"}


def rows(project, query):
    with closing(sqlite3.connect(project / "shop.sqlite3")) as database:
        return database.execute(query).fetchall()


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_results_are_rows_that_people_can_read(project, start_worker, in_project, wait_until, pool):
    # Given a worker whose results are in the database of the project
    worker = start_worker(pool, env=RESULTS)

    # When a task succeeds and one fails
    value, error = in_project(
        "from shop.tasks import refuse, ship\n"
        "failed = refuse.delay('no room')\n"
        "answer = [ship.delay(5).get(timeout=20), type(failed.get(timeout=20, propagate=False)).__name__]\n",
        RESULTS,
    )

    # Then both are told of to who asked, and to who looks into the table
    assert (value, error) == (0, "ValueError")
    found = rows(
        project, "SELECT task, state, args, result, worker <> '', traceback FROM celeriac_taskresult ORDER BY 1"
    )
    (refused, *failure), (shipped, *success) = found
    assert (refused, *failure[:4]) == ("shop.tasks.refuse", "FAILURE", "['no room']", "ValueError: no room", 1)
    assert "ValueError: no room" in failure[4]
    assert (shipped, *success) == ("shop.tasks.ship", "SUCCESS", "[5]", "0", 1, "")

    # And the ADMINS have a letter about the failure, and none about the other
    letters = wait_until(lambda: [one.read_text() for one in (project / "mail").glob("*")])
    assert len(letters) == 1
    assert "Task shop.tasks.refuse failed" in letters[0]
    assert "no room" in letters[0]
    worker.signal(15)
    assert worker.wait() == 0


def test_naive_dates_are_in_the_time_zone_of_the_project(in_project):
    assert in_project("from proj.celery import app\nanswer = str(app.timezone)\n") == "Europe/Berlin"


def test_a_store_whose_tables_are_not_installed_says_what_to_do(in_project):
    said = in_project(
        "from django.apps import apps\n"
        "from celeriac import Celery\n"
        "apps.is_installed = lambda name: False\n"
        "try:\n"
        "    Celery('other', backend='django-db', set_as_current=False).backend\n"
        "except Exception as error:\n"
        "    answer = str(error)\n"
    )
    assert 'add "celeriac_django" to INSTALLED_APPS and run python manage.py migrate celeriac' in said


def test_a_project_whose_checks_fail_does_not_start_a_worker(project, spawn):
    (project / "shop" / "models.py").write_text(
        "from django.db import models\n\nclass Order(models.Model):\n    name = models.CharField()\n"
        "    owner = models.ForeignKey('shop.Nobody', models.CASCADE)\n"
    )
    import sys
    from pathlib import Path

    command = Path(sys.executable).with_name("celeriac")
    refused = spawn(command, "-A", "proj", "worker", "-P", "solo", cwd=project)
    assert refused.wait(30) != 0
    assert "fields.E300" in refused.output()
    allowed = spawn(command, "--skip-checks", "-A", "proj", "worker", "-P", "solo", "-l", "INFO", cwd=project)
    allowed.wait_for_output("ready.", timeout=30)
