"""The first example of the README runs as it is written for Celery: with `celery` in the place of `celeriac`."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def test_the_first_example_runs_under_celerys_name(pytestconfig, spawn, tmp_path):
    text = (pytestconfig.rootpath / "README.md").read_text()
    tasks, session = (re.search(rf"^```{kind}\n(.*?)^```$", text, re.M | re.S)[1] for kind in ("python", "pycon"))
    assert "from celeriac import Celery" in tasks
    (tmp_path / "tasks.py").write_text(tasks.replace("celeriac", "celery"))
    (tmp_path / "session.txt").write_text(session)
    worker = spawn(Path(sys.executable).with_name("celery"), "-A", "tasks", "worker", "-P", "solo")
    worker.wait_for_output("tasks.add")

    typed = spawn(sys.executable, "-m", "doctest", "session.txt")
    assert typed.wait(timeout=40) == 0, typed.output()
    worker.signal(15)
    assert worker.wait() == 0
