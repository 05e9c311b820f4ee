"""What a program of the project has of the plugin, without any worker."""

from __future__ import annotations

import sys

QUEUED = (
    "from kombu import Queue\n"
    "from proj.celery import app\n"
    "def queued():\n"
    "    with app.connection_for_read() as connection:\n"
    "        queue = Queue('celery').bind(connection)\n"
    "        queue.declare()\n"
    "        return queue.queue_declare(passive=True).message_count\n"
)


def test_a_task_is_sent_when_the_transaction_is_committed(in_project):
    before, inside, after = in_project(
        QUEUED + "from django.db import transaction\n"
        "from shop.tasks import ship\n"
        "answer = [queued()]\n"
        "with transaction.atomic():\n"
        "    ship.delay_on_commit(1)\n"
        "    ship.apply_async_on_commit((2,), countdown=0)\n"
        "    answer.append(queued())\n"
        "answer.append(queued())\n"
    )
    assert (before, inside, after) == (0, 0, 2)


def test_a_task_is_never_sent_when_the_transaction_is_rolled_back(in_project):
    sent = in_project(
        QUEUED + "from django.db import transaction\n"
        "from shop.tasks import ship\n"
        "try:\n"
        "    with transaction.atomic():\n"
        "        ship.delay_on_commit(1)\n"
        "        raise LookupError\n"
        "except LookupError:\n"
        "    answer = queued()\n"
    )
    assert sent == 0


def test_without_a_transaction_a_task_is_sent_at_once(in_project):
    assert in_project(QUEUED + "from shop.tasks import ship\nship.delay_on_commit(1)\nanswer = queued()\n") == 1


def test_an_eager_task_runs_in_the_transaction_of_its_caller(in_project):
    same, kept = in_project(
        "from django.db import connection, transaction\n"
        "from shop.models import Order\n"
        "from shop.tasks import look_at_connection, ship\n"
        "with transaction.atomic():\n"
        "    order = Order.objects.create(name='celeriac')\n"
        "    inside = connection.connection\n"
        "    ship.apply((order.pk,)).get()\n"
        "    answer = [connection.connection is inside]\n"
        "    transaction.set_rollback(True)\n"
        "answer.append(Order.objects.count())\n"
    )
    assert same
    assert kept == 0


def test_a_task_base_of_ones_own_keeps_its_methods_and_gets_the_others(in_project):
    answer = in_project(
        "from celeriac import Celery, Task\n"
        "class Own(Task):\n"
        "    abstract = True\n"
        "    def delay_on_commit(self):\n"
        "        return 'own'\n"
        "app = Celery('own', task_cls=Own, set_as_current=False)\n"
        "@app.task(name='own.task')\n"
        "def task():\n"
        "    pass\n"
        "answer = [task.delay_on_commit(), isinstance(task, Own)]\n"
    )
    assert answer == ["own", True]


def test_without_a_settings_module_nothing_of_django_is_loaded(spawn):
    program = spawn(
        sys.executable,
        "-c",
        "import sys\n"
        "from celeriac import Celery\n"
        "app = Celery('plain')\n"
        "app.install_fixups()\n"
        "app.finalize()\n"
        "assert app.fixups == []\n"
        "assert not hasattr(app.Task, 'delay_on_commit')\n"
        "sys.exit('django' in sys.modules)\n",
    )
    assert program.wait() == 0, program.output()


def test_settings_that_a_test_overrides_hold_for_the_app_while_they_do(in_project):
    answer = in_project(
        "from django.test import override_settings\n"
        "from proj.celery import app\n"
        "from shop.tasks import use_cache\n"
        "answer = [app.conf.task_always_eager]\n"
        "with override_settings(CELERY_TASK_ALWAYS_EAGER=True):\n"
        "    answer += [app.conf.task_always_eager, type(use_cache.delay()).__name__]\n"
        "answer += [app.conf.task_always_eager, app.conf.timezone]\n"
    )
    assert answer == [False, True, "EagerResult", False, "Europe/Berlin"]
