"""``celeriac shell``: what is there to be typed."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

TASKS = """
from celeriac import Celery

app = Celery("proj", broker="memory://", backend="memory://")

@app.task
def add(x, y):
    return x + y
"""


@pytest.fixture
def shell(tmp_path):
    """Return ``shell(text, *options)``: exit code and output of a session in which `text` is typed."""
    (tmp_path / "shell_tasks.py").write_text(TASKS)

    def call(text, *options):
        done = subprocess.run(
            [sys.executable, "-m", "celeriac", "-A", "shell_tasks", "shell", *options],
            input=text,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=50,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.mark.covers("cli.shell", "cli.shell.--python")
def test_the_app_its_tasks_and_the_canvas_are_there(shell):
    code, output, errors = shell(
        "print(app.main, celery is app, add.apply((2, 3)).get(), Task is app.Task)\n"
        "print(chain(add.s(1, 2), add.s(3)), group, chord, chunks, xmap, xstarmap, signature, AsyncResult)\n",
        "--python",
    )

    assert code == 0, errors
    assert "proj True 5 True" in output
    assert "NameError" not in errors


@pytest.mark.covers("cli.shell.--without-tasks")
def test_tasks_may_be_left_out(shell):
    _, _, errors = shell("add\n", "--python", "--without-tasks")

    assert "NameError: name 'add' is not defined" in errors


@pytest.mark.covers("cli.shell.--gevent")
def test_gevent_may_patch_the_session(shell):
    code, output, _ = shell("import socket; print(socket.socket.__module__)\n", "--python", "--gevent")
    assert (code, "gevent" in output) == (0, True)


@pytest.mark.covers("cli.shell.--ipython", "cli.shell.--bpython")
@pytest.mark.parametrize(("option", "module"), [("--ipython", "IPython"), ("--bpython", "bpython")])
def test_another_shell_is_asked_for_by_name(celeriac, app_here, monkeypatch, option, module):
    # Given one that notes what it is given
    found = {}
    other = ModuleType(module)
    other.start_ipython = lambda argv, user_ns: found.update(user_ns)
    other.embed = lambda **given: found.update(given["locals_"])
    monkeypatch.setitem(sys.modules, module, other)

    assert celeriac("shell", option, app=app_here)[0] == 0
    assert found["app"] is app_here

    # And where it is not installed, that is said
    monkeypatch.setitem(sys.modules, module, None)
    code, _, errors = celeriac("shell", option, app=app_here)
    assert (code, errors) == (1, f"Error: {module} is not installed: pip install {module.lower()}\n")


@pytest.fixture
def app_here():
    from celeriac.app.base import Celery

    app = Celery("proj", broker="memory://", set_as_current=False)
    yield app
    app.close()
