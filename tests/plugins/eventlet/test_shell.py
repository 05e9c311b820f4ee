"""``celeriac shell --eventlet``."""

from __future__ import annotations

import sys

import pytest


@pytest.mark.covers("cli.shell.--eventlet")
def test_eventlet_may_patch_the_session(spawn, tmp_path):
    (tmp_path / "proj.py").write_text("from celeriac import Celery\napp = Celery('proj')\n")
    (tmp_path / "session.py").write_text("import socket; print('socket of', socket.socket.__module__)\n")
    command = f"{sys.executable} -m celeriac -A proj shell --python --eventlet < session.py"

    shell = spawn("sh", "-c", command, cwd=tmp_path)

    assert shell.wait() == 0
    assert "socket of eventlet" in shell.output()
