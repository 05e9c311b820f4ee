"""Tasks of a Django project, run by a worker."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

POOLS = pytest.mark.parametrize("pool", ["threads", "prefork"])


def orders(project):
    with closing(sqlite3.connect(project / "shop.sqlite3")) as database:
        return database.execute("SELECT name, shipped FROM shop_order").fetchall()


@POOLS
def test_tasks_of_installed_apps_are_found_and_use_the_orm(project, start_worker, in_project, pool):
    worker = start_worker(pool)
    shipped = in_project(
        "from shop.models import Order\n"
        "from shop.tasks import ship\n"
        "order = Order.objects.create(name='celeriac')\n"
        "answer = ship.delay(order.pk).get(timeout=20)\n"
    )
    assert shipped == 1
    assert orders(project) == [("celeriac", 1)]
    worker.signal(15)
    assert worker.wait() == 0


LOOK_TWICE = (
    "from shop.tasks import look_at_connection\n"
    "answer = [look_at_connection.delay().get(timeout=20), look_at_connection.delay().get(timeout=20)]\n"
)


@POOLS
def test_a_connection_is_closed_after_the_task(start_worker, in_project, pool):
    start_worker(pool)
    first, second = in_project(LOOK_TWICE)
    assert first["pid"] == second["pid"]
    assert not first["was_open"]
    assert not second["was_open"]


@POOLS
def test_a_connection_lives_as_long_as_the_settings_say(start_worker, in_project, pool):
    start_worker(pool, env={"CONN_MAX_AGE": "3600"})
    first, second = in_project(LOOK_TWICE)
    assert second["was_open"]
    assert second["id"] == first["id"]


def test_a_child_leaves_the_connection_of_its_parent_alone(start_worker, in_project):
    # Given a worker whose main process has used the database, and connections that are kept
    start_worker("prefork", env={"CONN_MAX_AGE": "3600"})
    first, _ = in_project(LOOK_TWICE)
    # Then the child knows of that connection, and has another one
    assert first["parent_had_one"]
    assert not first["was_open"]
    assert not first["is_inherited"]


def test_a_task_that_leaves_a_transaction_open_does_not_leave_it_to_the_next(project, start_worker, in_project):
    start_worker("solo", env={"CONN_MAX_AGE": "3600"})
    after = in_project(
        "from shop.tasks import break_transaction, look_at_connection\n"
        "break_transaction.delay().get(timeout=20)\n"
        "answer = look_at_connection.delay().get(timeout=20)\n"
    )
    assert not after["was_open"]
    assert orders(project) == []


def test_caches_are_closed_after_each_task(start_worker, in_project):
    start_worker("solo")
    before, after = in_project(
        "from shop.tasks import use_cache\n"
        "answer = [use_cache.delay().get(timeout=20), use_cache.delay().get(timeout=20)]\n"
    )
    assert after == before + 1
