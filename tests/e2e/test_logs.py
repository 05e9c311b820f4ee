"""What a worker from the command line writes to its log."""

from __future__ import annotations

import json
import sys

import pytest

TASKS = """
import logging
from celeriac import Celery
from celeriac.utils.log import get_task_logger

app = Celery("speaking")
logger = get_task_logger(__name__)

@app.task
def speak(word):
    logger.info("of the task %s", word)
    logging.getLogger("somebody").warning("of somebody %s", word)
    print("printed", word)
"""


@pytest.fixture
def start(spawn, tmp_path):
    """Return ``start(*options)``: a worker of the tasks above."""

    def run(*options, tasks=TASKS):
        (tmp_path / "speaking.py").write_text(tasks)
        command = [sys.executable, "-m", "celeriac", "-A", "speaking", "worker", "-c", "1", *options]
        worker = spawn(*command, cwd=tmp_path)
        worker.wait_for_output("speaking.speak")
        return worker

    return run


def send(spawn, tmp_path, word):
    program = f"from speaking import speak; print(speak.apply_async(['{word}'], task_id='id-{word}').get(timeout=20))"
    sender = spawn(sys.executable, "-c", program, cwd=tmp_path)
    assert sender.wait(40) == 0, sender.output()


@pytest.mark.covers("settings.worker_redirect_stdouts", "settings.worker_redirect_stdouts_level", "cli.worker")
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_json_lines_say_which_task_wrote_or_printed_them(start, spawn, tmp_path, pool):
    # Given a worker that logs JSON into a file that is named by its node
    worker = start("-P", pool, "-l", "INFO", "--logformat", "json", "-f", "log-%n.json", "-n", "w1@here")
    path = tmp_path / "log-w1.json"

    # When a task logs and prints, and the worker stops
    send(spawn, tmp_path, "x")
    worker.signal(15)
    assert worker.wait() == 0

    # Then each line is JSON, and those three know the task
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    by_message = {line["message"]: line for line in lines}
    for message in ("of the task x", "of somebody x", "printed x"):
        line = by_message[message]
        assert (line["task_id"], line["task_name"]) == ("id-x", "speaking.speak")
    assert by_message["printed x"]["level"] == "WARNING"
    assert "task_id" not in by_message["w1@here ready."]
    # And the banner, which is for people, is not in it
    assert not any("speaking.speak\n" in line["message"] for line in lines)
    assert "celeriac 0" in worker.output()


def test_what_is_printed_stays_where_it_was_if_the_setting_says_so(start, spawn, tmp_path):
    with_setting = TASKS.replace('Celery("speaking")', 'Celery("speaking", worker_redirect_stdouts=False)')
    worker = start("-l", "INFO", "-f", "log", tasks=with_setting)
    send(spawn, tmp_path, "x")
    worker.signal(15)
    assert worker.wait() == 0
    assert "printed x" not in (tmp_path / "log").read_text()
    assert "printed x" in worker.output()


def test_an_error_is_told_to_whoever_called_not_to_the_log(spawn, tmp_path):
    (tmp_path / "speaking.py").write_text(TASKS)
    command = [sys.executable, "-m", "celeriac", "-A", "speaking", "worker", "-c", "none", "-f", "log"]
    worker = spawn(*command, cwd=tmp_path)
    assert worker.wait(40) == 1
    assert "worker_concurrency must be a number" in worker.output()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["-P", "prefork"], "ForkPoolWorker-1"),
        (["-P", "prefork", "--pool-start-method", "spawn"], "SpawnPoolWorker-1"),
        (["-P", "asyncio"], "ForkPoolWorker-1"),
        (["-P", "threads"], "MainProcess"),
    ],
)
def test_records_tell_the_children_of_a_worker_apart(start, spawn, tmp_path, options, name):
    worker = start(*options, "-l", "INFO", "--logformat", "json", "-f", "log.json")
    send(spawn, tmp_path, "x")
    worker.signal(15)
    assert worker.wait() == 0
    lines = [json.loads(line) for line in (tmp_path / "log.json").read_text().splitlines()]
    by_message = {line["message"]: line["process_name"] for line in lines}
    assert by_message["of the task x"] == by_message["printed x"] == name
    assert {who for message, who in by_message.items() if "succeeded in" in message} == {"MainProcess"}
