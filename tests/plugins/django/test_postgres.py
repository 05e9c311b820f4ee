"""Tasks of a Django project on PostgreSQL: connections that are closed, kept, pooled, used by coroutines."""

from __future__ import annotations

import json

import pytest

ORDER_AND_LOOK = (
    "from shop.models import Order\n"
    "from shop.tasks import look_at_connection, ship\n"
    "order = Order.objects.create(name='celeriac')\n"
    "answer = [ship.delay(order.pk).get(timeout=20)]\n"
    "answer += [look_at_connection.delay().get(timeout=20), look_at_connection.delay().get(timeout=20)]\n"
)


@pytest.fixture
def on_postgres(migrated_postgres, request):
    """The environment of the programs of the project; the mark has what is added to the settings of the database."""
    marker = request.node.get_closest_marker("database")
    more = marker.kwargs if marker else {}
    return {"DATABASE": json.dumps({**migrated_postgres, **more}), "RESULTS": "django-db"}


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_connections_are_closed_after_each_task(start_worker, in_project, on_postgres, pool):
    start_worker(pool, env=on_postgres)
    shipped, first, second = in_project(ORDER_AND_LOOK, on_postgres)
    assert shipped == 1
    assert first["parent_had_one"]
    assert not first["is_inherited"]
    assert not first["was_open"]
    assert not second["was_open"]


@pytest.mark.database(CONN_MAX_AGE=3600)
def test_connections_live_as_long_as_the_settings_say(start_worker, in_project, on_postgres):
    start_worker("prefork", env=on_postgres)
    _, first, second = in_project(ORDER_AND_LOOK, on_postgres)
    assert not first["is_inherited"]
    assert second["was_open"]
    assert second["id"] == first["id"]


@pytest.mark.database(OPTIONS={"pool": {"min_size": 1, "max_size": 2}})
@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_pool_of_connections_is_of_one_process(start_worker, in_project, on_postgres, pool):
    django = pytest.importorskip("django")
    if django.VERSION < (5, 1):
        pytest.skip("Django has pools from 5.1 on")
    # Given a worker whose main process has used its pool before it forked
    worker = start_worker(pool, env=on_postgres)

    # When tasks run, then those of a child have a pool of its own, to which each gives its connection back
    shipped, first, second = in_project(ORDER_AND_LOOK, on_postgres)
    assert shipped == 1
    assert first["parent_had_one"]
    assert not first["is_inherited"]
    assert not second["was_open"]
    worker.signal(15)
    assert worker.wait() == 0


@pytest.mark.database(OPTIONS={"pool": {"min_size": 1, "max_size": 1}})
def test_a_child_takes_no_connection_out_of_the_pool_of_its_parent(in_project, on_postgres):
    if pytest.importorskip("django").VERSION < (5, 1):
        pytest.skip("Django has pools from 5.1 on")
    # Given a process whose pool has one connection, which nobody uses, at the moment when it forks
    before, child, after = in_project(
        "import os\n"
        "from django.db import connection\n"
        "from celeriac_django.connections import after_fork\n"
        "def backend():\n"
        "    with connection.cursor() as cursor:\n"
        "        cursor.execute('SELECT pg_backend_pid()')\n"
        "        found = cursor.fetchone()[0]\n"
        "    connection.close()\n"
        "    return found\n"
        "answer = [backend()]\n"
        "reading, writing = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    after_fork()\n"
        "    os.write(writing, b'%d' % backend())\n"
        "    os._exit(0)\n"
        "os.close(writing)\n"
        "answer += [int(os.read(reading, 20)), backend()]\n",
        on_postgres,
    )
    # Then the child has another one, and the parent still its own
    assert child != before
    assert after == before


@pytest.mark.parametrize("pool", ["asyncio", "threads"])
def test_coroutines_use_the_orm_and_leave_no_connection_open(start_worker, in_project, on_postgres, pool):
    start_worker(pool, env=on_postgres)
    first, second = in_project(
        "from shop.models import Order\n"
        "from shop.tasks import count_later\n"
        "Order.objects.all().delete()\n"
        "Order.objects.create(name='celeriac')\n"
        "answer = [count_later.delay().get(timeout=20), count_later.delay().get(timeout=20)]\n",
        on_postgres,
    )
    assert first == second == [1, False]


def test_on_commit_waits_for_the_outermost_transaction_of_the_database_that_is_named(in_project, on_postgres):
    before, nested, inner_gone, other = in_project(
        "from django.db import transaction\n"
        "from celeriac.testing import published\n"
        "from proj.celery import app\n"
        "from shop.tasks import ship\n"
        "answer = []\n"
        "with published(app, deliver=False) as sent:\n"
        "    with transaction.atomic():\n"
        "        with transaction.atomic():\n"
        "            ship.delay_on_commit(1)\n"
        "        answer.append(len(sent))\n"
        "    answer.append(len(sent))\n"
        "    with transaction.atomic():\n"
        "        try:\n"
        "            with transaction.atomic():\n"
        "                ship.delay_on_commit(2)\n"
        "                raise LookupError\n"
        "        except LookupError:\n"
        "            pass\n"
        "    answer.append(len(sent))\n"
        "    with transaction.atomic(using='other'):\n"
        "        with transaction.atomic():\n"
        "            ship.apply_async_on_commit((3,), using='other')\n"
        "        assert len(sent) == 1\n"
        "    answer.append(sent[-1].args)\n",
        on_postgres,
    )
    assert (before, nested, inner_gone) == (0, 1, 1)
    assert other == [3]


def test_where_the_broker_is_away_the_caller_is_told_and_the_transaction_stands(in_project, on_postgres):
    said, kept = in_project(
        "from django.db import transaction\n"
        "from kombu.exceptions import OperationalError\n"
        "from proj.celery import app\n"
        "from shop.models import Order\n"
        "from shop.tasks import ship\n"
        "app.conf.update(broker_url='redis://127.0.0.1:1/0', task_publish_retry=False)\n"
        "try:\n"
        "    with transaction.atomic():\n"
        "        order = Order.objects.create(name='kept')\n"
        "        ship.delay_on_commit(order.pk)\n"
        "except OperationalError as error:\n"
        "    answer = [type(error).__name__, Order.objects.filter(pk=order.pk).count()]\n",
        on_postgres,
    )
    assert (said, kept) == ("OperationalError", 1)
