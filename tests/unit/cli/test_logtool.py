"""``celeriac logtool`` on logs of ours, of Celery's, and in JSON."""

from __future__ import annotations

import io
import json
import sys

import pytest

OURS = """\
a banner
[2026-01-02 03:04:05,006: INFO/MainProcess] Task proj.add[id-1] received
[2026-01-02 03:04:05,106: INFO/MainProcess] Task proj.add[id-1] succeeded in 0.500000s: 5
[2026-01-02 03:04:06,006: INFO/MainProcess] Task proj.add[id-2] received
[2026-01-02 03:04:06,106: ERROR/ForkPoolWorker-1] Task proj.add[id-2] failed: ValueError('x')
Traceback (most recent call last):
  File "tasks.py", line 1, in add
ValueError: x
[2026-01-02 03:04:06,107: INFO/MainProcess] Task proj.add[id-2] ended: failure: ValueError('x')
[2026-01-02 03:04:07,006: INFO/MainProcess] Task proj.mul[id-3] received
[2026-01-02 03:04:07,007: WARNING/MainProcess] something else
"""
CELERYS = """\
[2026-01-02 03:04:05,006: INFO/MainProcess] Task proj.add[id-4] received
[2026-01-02 03:04:05,106: INFO/ForkPoolWorker-1] Task proj.add[id-4] succeeded in 1.5e+00s: 5
[2026-01-02 03:04:06,006: INFO/MainProcess] Task proj.add[id-5] received
[2026-01-02 03:04:06,106: ERROR/ForkPoolWorker-1] Task proj.add[id-5] raised unexpected: ValueError('x')
Traceback (most recent call last):
ValueError: x
[2026-01-02 03:04:07,006: INFO/ForkPoolWorker-1] Task proj.mul[id-6] retry: Retry in 1s
[2026-01-02 03:04:08,006: INFO/MainProcess] Discarding revoked task: proj.mul[id-7]
"""
JSON = "\n".join(
    json.dumps({"level": level, "message": message, **more})
    for level, message, more in (
        ("INFO", "Task proj.add[id-8] received", {}),
        ("ERROR", "Task proj.add[id-8] ended: worker-lost: SIGKILL", {"exception": "Traceback (most recent):\nLost"}),
    )
)


@pytest.fixture
def logtool(celeriac, tmp_path):
    """Return ``logtool(command, *texts)``: what it prints of logs with these texts, and as JSON."""

    def call(command, *texts):
        paths = []
        for number, text in enumerate(texts):
            paths.append(tmp_path / f"{number}.log")
            paths[-1].write_text(text)
        code, output, errors = celeriac("logtool", command, *map(str, paths))
        assert code == 0, errors
        return output, json.loads(celeriac("logtool", command, "--json", *map(str, paths))[1])

    return call


@pytest.mark.covers("cli.logtool", "cli.logtool stats", "cli.logtool stats.files")
def test_stats_count_what_became_of_each_kind_of_task(logtool):
    output, found = logtool("stats", OURS, CELERYS, JSON)

    assert found["errors"] == 3
    assert found["tasks"]["proj.add"] == {
        "received": 5,
        "succeeded": 2,
        "failed": 3,
        "retried": 0,
        "other": 0,
        "longest": 1.5,
        "mean": 1.0,
    }
    assert found["tasks"]["proj.mul"]["retried"] == found["tasks"]["proj.mul"]["other"] == 1
    assert output.splitlines() == [
        "task      received  succeeded  failed  retried  other  longest s  mean s",
        "proj.add         5          2       3        0      0      1.500   1.000",
        "proj.mul         1          0       0        1      1          -       -",
        "3 errors logged",
    ]


@pytest.mark.covers("cli.logtool errors", "cli.logtool errors.files")
def test_errors_are_printed_each_in_a_line(logtool):
    output, found = logtool("errors", OURS, CELERYS)

    assert [line.rpartition("] ")[2] for line in output.splitlines()] == [
        "failed: ValueError('x')",
        "raised unexpected: ValueError('x')",
    ]
    assert [each["level"] for each in found] == ["ERROR", "ERROR"]


@pytest.mark.covers("cli.logtool traces", "cli.logtool traces.files")
def test_traces_are_printed_whole(logtool):
    output, found = logtool("traces", OURS, JSON)

    assert '  File "tasks.py", line 1, in add\nValueError: x\n' in output
    assert found[1]["more"] == ["Traceback (most recent):", "Lost"]


@pytest.mark.covers("cli.logtool incomplete", "cli.logtool incomplete.files")
def test_incomplete_are_tasks_that_were_received_and_did_not_end(logtool):
    output, found = logtool("incomplete", OURS, CELERYS, JSON)

    assert "proj.mul[id-3] received" in output
    assert [each["task_id"] for each in found] == ["id-3"]


@pytest.mark.covers("cli.logtool debug", "cli.logtool debug.files")
def test_debug_prints_what_is_about_no_beginning_and_no_end(logtool):
    _, found = logtool("debug", OURS)

    assert [each["message"] for each in found] == ["Task proj.add[id-2] failed: ValueError('x')", "something else"]


def test_without_files_standard_input_is_read(celeriac, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(OURS.encode())))

    assert "id-3" in celeriac("logtool", "incomplete")[1]
