"""Tasks of ``django.tasks``: sent by our backend, run by a worker, and told of as Django has it."""

from __future__ import annotations

import json

import pytest

RESULTS = {"RESULTS": "django-db"}
#: What each program begins with.
IMPORTS = (
    "from datetime import datetime, timedelta\n"
    "from asgiref.sync import async_to_sync\n"
    "from django.utils import timezone\n"
    "from shop.later import InvalidTask, count, exceptions, finished, give_what_no_store_takes, signals, tasks\n"
    "from shop.later import wait_for_order, whoami\n"
)


def test_tasks_of_django_are_run_by_a_worker(start_worker, in_project):
    start_worker("threads", env=RESULTS)
    ready, done, failed, context, early, none = in_project(
        IMPORTS + "later = count.using(run_after=timezone.now() + timedelta(hours=1)).enqueue()\n"
        "result = count.enqueue()\n"
        "answer = [result.status]\n"
        "finished(result)\n"
        "begun_first = result.enqueued_at <= result.started_at <= result.finished_at\n"
        "answer.append([result.status, result.return_value, begun_first, result.attempts])\n"
        "failed = finished(count.enqueue(at_least=3))\n"
        "(error,) = failed.errors\n"
        "begun_first = failed.started_at <= failed.finished_at and failed.started_at == failed.last_attempted_at\n"
        "answer.append([failed.status, error.exception_class_path, 'only 0' in error.traceback, failed.attempts, "
        "begun_first])\n"
        "told = finished(whoami.enqueue('Ada'))\n"
        "answer.append([told.return_value[0] == told.id, *told.return_value[1:]])\n"
        "later.refresh()\n"
        "answer.append([later.status, count.get_result(later.id).task.run_after is not None])\n"
        "try:\n"
        "    count.get_result('nothing')\n"
        "except exceptions.TaskResultDoesNotExist:\n"
        "    answer.append('none')\n",
        RESULTS,
    )
    assert ready == "READY"
    assert done == ["SUCCESSFUL", 0, True, 1]
    assert failed == ["FAILED", "builtins.LookupError", True, 1, True]
    assert context == [True, "Ada", 1]
    assert early == ["READY", True]
    assert none == "none"


def test_a_task_that_runs_says_where_and_since_when(start_worker, in_project):
    worker = start_worker("threads", env=RESULTS)
    running, ended, same = in_project(
        IMPORTS + "import time\n"
        "from shop.models import Order\n"
        "result = wait_for_order.enqueue()\n"
        "deadline = time.monotonic() + 20\n"
        "while result.status == 'READY' and time.monotonic() < deadline:\n"
        "    time.sleep(0.02)\n"
        "    result.refresh()\n"
        "answer = [[result.status, len(result.worker_ids), result.finished_at]]\n"
        "begun = result.started_at\n"
        "Order.objects.create(name='it')\n"
        "finished(result)\n"
        "answer += [[result.status, len(result.worker_ids)], result.started_at == begun]\n",
        RESULTS,
    )
    assert running == ["RUNNING", 1, None]
    assert ended == ["SUCCESSFUL", 1]
    assert same
    worker.signal(15)
    assert worker.wait() == 0


def test_coroutines_enqueue_and_look_as_well(start_worker, in_project):
    start_worker("solo", env=RESULTS)
    signalled, status, value, other = in_project(
        IMPORTS + "import asyncio\n"
        "seen = []\n"
        "signals.task_enqueued.connect(lambda sender, task_result, **_: seen.append(task_result.id), weak=False)\n"
        "async def ask():\n"
        "    result = await whoami.aenqueue('Ada')\n"
        "    for _ in range(500):\n"
        "        await result.arefresh()\n"
        "        if result.is_finished:\n"
        "            break\n"
        "        await asyncio.sleep(0.02)\n"
        "    again = await whoami.aget_result(result.id)\n"
        "    try:\n"
        "        await count.aget_result(result.id)\n"
        "        other = 'found'\n"
        "    except exceptions.TaskResultMismatch:\n"
        "        other = 'mismatch'\n"
        "    return [seen == [result.id], again.status, again.return_value[1:], other]\n"
        "answer = async_to_sync(ask)()\n",
        RESULTS,
    )
    assert signalled
    assert status == "SUCCESSFUL"
    assert value == ["Ada", 1]
    assert other == "mismatch"


def test_a_backend_of_the_projects_own_has_its_tasks_run(start_worker, in_project):
    environment = {**RESULTS, "TASK_BACKEND": "shop.later.Shouting"}
    start_worker("solo", env=environment)
    value, told = in_project(
        IMPORTS + "result = finished(whoami.enqueue('Ada'))\n"
        "failed = finished(give_what_no_store_takes.enqueue())\n"
        "answer = [result.return_value[1], [failed.status, failed.errors[0].exception_class.__module__]]\n",
        environment,
    )
    assert value == "ADA"
    assert told == ["FAILED", "celeriac.exceptions"]


def test_an_eager_app_runs_the_task_where_it_is_enqueued(in_project):
    seen, done, context, failed, unstored = in_project(
        IMPORTS + "seen = []\n"
        "def see(sender, task_result, **_):\n"
        "    seen.append(task_result.status)\n"
        "for signal in (signals.task_enqueued, signals.task_started, signals.task_finished):\n"
        "    signal.connect(see)\n"
        "done = count.enqueue()\n"
        "answer = [seen[:], [done.status, done.return_value, done.attempts], whoami.enqueue('Ada').return_value[1:]]\n"
        "failed = count.enqueue(at_least=3)\n"
        "answer.append([failed.status, failed.errors[0].exception_class_path])\n"
        "answer.append([give_what_no_store_takes.enqueue().status, seen[-1]])\n",
        {**RESULTS, "EAGER": "1"},
    )
    assert seen == ["READY", "RUNNING", "SUCCESSFUL"]
    assert done == ["SUCCESSFUL", 0, 1]
    assert context == ["Ada", 1]
    assert failed == ["FAILED", "builtins.LookupError"]
    assert unstored == ["FAILED", "FAILED"]


SENT = (
    "from celeriac.testing import published\n"
    "from proj.celery import app\n"
    "def sent(task):\n"
    "    with published(app, deliver=False) as seen:\n"
    "        task.enqueue()\n"
    "    return [seen[0].properties.get('priority'), seen[0].queue, seen[0].eta is not None]\n"
)


@pytest.mark.parametrize(
    ("highest", "expected"),
    [(9, [0, 4, 9]), (255, [0, 128, 255]), (0, [9, 4, 0])],
)
def test_the_priorities_of_django_are_those_of_the_broker(in_project, highest, expected):
    found = in_project(
        IMPORTS + SENT + "answer = [sent(count.using(priority=each))[0] for each in (-100, 0, 100)]\n",
        {"TASK_OPTIONS": json.dumps({"highest_priority": highest})},
    )
    assert found == expected


def test_what_the_backend_cannot_do_is_refused_where_it_is_asked_for(in_project):
    queue, refused = in_project(
        IMPORTS + SENT + "answer = [sent(count.using(queue_name='other', run_after=timezone.now())), []]\n"
        "naive = datetime(2030, 1, 1)\n"
        "for wrong in ({'priority': 5}, {'queue_name': 'nowhere'}, {'run_after': naive}):\n"
        "    try:\n"
        "        count.using(**wrong).enqueue()\n"
        "    except InvalidTask:\n"
        "        answer[1].append(next(iter(wrong)))\n"
        "try:\n"
        "    count.enqueue(at_least=object())\n"
        "except Exception as error:\n"
        "    answer[1].append('arguments')\n"
    )
    assert queue[1:] == ["other", True]
    assert refused == ["priority", "queue_name", "run_after", "arguments"]


def test_wrong_options_are_found_by_the_checks_of_the_project(in_project):
    said = in_project(
        "from shop.later import tasks\nanswer = [str(each) for each in tasks.default_task_backend.check()]\n",
        {"TASK_OPTIONS": json.dumps({"highest_priority": 300, "prio": 1})},
    )
    assert len(said) == 2
    assert "has the option 'prio', which CeleriacBackend does not know" in said[0]
    assert "highest_priority is a number from 0 to 255, not 300" in said[1]


def test_a_task_is_sent_though_the_transaction_is_rolled_back_unless_it_waits_for_the_commit(in_project):
    at_once, on_commit = in_project(
        IMPORTS + "from django.db import transaction\n"
        "from celeriac.testing import published\n"
        "from proj.celery import app\n"
        "answer = []\n"
        "for enqueue in (count.enqueue, lambda: transaction.on_commit(count.enqueue)):\n"
        "    with published(app) as seen, transaction.atomic():\n"
        "        enqueue()\n"
        "        transaction.set_rollback(True)\n"
        "    answer.append(len(seen))\n"
    )
    assert (at_once, on_commit) == (1, 0)
