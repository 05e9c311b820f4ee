"""Real beats that share the database of a project, killed in turns: each tick is sent once."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

#: Kills, and seconds between two ticks.
KILLS, EVERY = 4, 0.25
COUNT = (
    "from celeriac_django.models import ScheduledTask, TakenRun\n"
    "row = ScheduledTask.objects.filter(name='tick').first()\n"
)
#: The ids of the messages, and those that belong to the runs that the row has counted.
SENT = (
    "from contextlib import closing\n"
    "from datetime import timedelta\n"
    "from celeriac_django.entries import task_id\n"
    "from proj.celery import app\n"
    "sent = []\n"
    "with app.connection_for_read() as connection, closing(connection.SimpleQueue('ticks')) as queue:\n"
    "    try:\n"
    "        while True:\n"
    "            message = queue.get(block=False)\n"
    "            sent.append(message.headers['id'])\n"
    "            message.ack()\n"
    "    except queue.Empty:\n"
    "        pass\n"
    f"runs = [row.last_run_at - timedelta(seconds={EVERY} * n) for n in range(row.total_run_count)]\n"
    "answer = [sorted(sent), sorted(task_id('tick', run) for run in runs)]\n"
)


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_of_two_beats_that_are_killed_in_turns_each_tick_is_sent_once(
    project, migrated_postgres, spawn, in_project, wait_until
):
    import psycopg

    entry = {"task": "tick", "schedule": EVERY, "missed": "all", "options": {"queue": "ticks"}}
    env = {"DATABASE": json.dumps(migrated_postgres), "SCHEDULE": json.dumps({"tick": entry})}
    command = [Path(sys.executable).with_name("celeriac"), "-A", "proj", "beat", "-l", "INFO"]
    database = {"dbname": migrated_postgres["NAME"], "user": migrated_postgres["USER"]}
    where = {"host": migrated_postgres["HOST"], "port": migrated_postgres["PORT"]}
    with psycopg.connect(**database, **where, password=migrated_postgres["PASSWORD"], autocommit=True) as server:

        def runs():
            found = server.execute("SELECT total_run_count FROM celeriac_scheduledtask WHERE name = 'tick'").fetchone()
            return found[0] if found else 0

        def taken():
            return server.execute("SELECT count(*) FROM celeriac_takenrun").fetchone()[0]

        # Given two beats
        server.execute("TRUNCATE celeriac_scheduledtask CASCADE")
        beats = [spawn(*command, cwd=project, env=env) for _ in range(2)]
        wait_until(lambda: runs() > 2, timeout=40)

        # When one after the other is killed and replaced, then the other goes on
        for _ in range(KILLS):
            beats.pop(0).kill()
            before = runs()
            wait_until(lambda before=before: runs() > before + 2, timeout=30, message="the other beat sends")
            beats.append(spawn(*command, cwd=project, env=env))
            beats[-1].wait_for_output("beat: Starting...", timeout=40)
        wait_until(lambda: not taken() or time.sleep(0.1), timeout=30, message="what a dead beat had taken is sent")
        for beat in beats:
            beat.signal(15)
        for beat in beats:
            assert beat.wait() == 0

        # Then each tick was sent once, under its own id
        sent, expected = in_project(COUNT + SENT, env)
        assert sent == expected
        assert len(expected) > KILLS * 2
