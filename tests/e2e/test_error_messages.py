"""The errors that people meet first say what docs/reference/errors.md says they say: each is produced here for real."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest

from celeriac import Celery

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
NOBODY = 65534

#: Heading to the function that has the error happen; called with the fixtures it may need, returns what it says.
WAYS: dict[str, Callable[[SimpleNamespace], str]] = {}


def way(heading):
    """The decorated function produces the error under that heading."""

    def add(function):
        WAYS[heading] = function
        return function

    return add


def said(call, *args, **kwargs):
    """What the error says that the call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # what it says is compared with the page
        call(*args, **kwargs)
    return f"{caught.type.__name__}: {caught.value}"


def add(app):
    return app.task(lambda x, y: x + y, name="tasks.add")


@way("Unknown broker scheme")
def _(given):
    with Celery(broker="sqlit:///queue.db") as app:
        return said(add(app).delay, 1, 1)


def printed(given, program, **env):
    """What a program of a few lines prints."""
    running = given.spawn(sys.executable, "-c", dedent(program), env=env)
    assert running.wait() == 0, running.output()
    return running.output().strip()


@way("Broker plugin not installed")
def _(given):
    # It may well be installed where this runs, and then this program does not see it.
    program = """
        import importlib_metadata
        every = importlib_metadata.distributions
        importlib_metadata.distributions = lambda: (one for one in every() if one.name != "celeriac-redis")

        from celeriac import Celery

        try:
            Celery(broker="redis://localhost").send_task("tasks.add", (1, 1))
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
    """
    return printed(given, program)


@way("Unknown backend")
def _(given):
    with Celery(backend="sqlit:///results.db") as app:
        return said(add(app).delay(1, 1).get, timeout=1)


def install(directory, name, version, entry_points, **modules):
    """What an installer would leave behind."""
    info = directory / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(entry_points)
    for module, text in modules.items():
        (directory / f"{module}.py").write_text(text)


#: Uses the broker `acme`.
PROGRAM = """
    from celeriac import Celery

    try:
        Celery(broker="acme://localhost").send_task("tasks.add", (1, 1))
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
"""


@way("Plugin broken")
def _(given):
    site = given.tmp_path / "site"
    install(site, "acme-queue", "7.1", "[celeriac.brokers]\nacme = acme:Transport\n", acme="raise ValueError('boom')\n")
    return printed(given, PROGRAM, PYTHONPATH=str(site))


@way("Two plugins with one name")
def _(given):
    site = given.tmp_path / "site"
    install(site, "acme-queue", "7.1", "[celeriac.brokers]\nacme = acme:Transport\n")
    install(site, "acme-other", "1.0", "[celeriac.brokers]\nacme = other:Transport\n")
    return printed(given, PROGRAM, PYTHONPATH=str(site))


@way("Task not registered")
def _(given):
    given.start_worker()
    return said(given.everyday.app.send_task("everyday.ad", (1, 1)).get, timeout=10)


@way("Undecodable message")
def _(given):
    given.start_worker()
    task_id = str(uuid.uuid4())
    with given.everyday.app.connection_for_write() as connection:
        connection.Producer().publish(
            b"{no JSON",
            routing_key="celery",
            content_type="application/json",
            content_encoding="utf-8",
            headers={"task": "everyday.add", "id": task_id},
        )
    return said(given.everyday.app.AsyncResult(task_id).get, timeout=10)


@way("Unserialisable argument")
def _(given):
    with Celery("errors") as app:
        return said(add(app).delay, object(), 1)


@way("Result store unreachable")
def _(given):
    with Celery("errors", backend=f"sqlite:///{given.tmp_path}/absent/results.db") as app:
        return said(add(app).delay(1, 1).get, timeout=1)


@way("Queue file not writable")
def _(given):
    # A directory that every user may enter and none may write; root may, and so becomes somebody else.
    directory = Path(tempfile.mkdtemp(prefix="celeriac-test-"))
    directory.chmod(0o555)
    # Imports before that: it may not even be allowed to read the interpreter's own files.
    add(Celery(broker=f"sqlite:///{given.tmp_path}/queue.db")).delay(1, 1)
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            answer = said(add(Celery(broker=f"sqlite:///{directory}/queue.db")).delay, 1, 1)
            os.write(writing, pickle.dumps(answer))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    shutil.rmtree(directory)
    with os.fdopen(reading, "rb") as pipe:
        return pickle.loads(pipe.read())


def sections():
    """Heading to text, as the page has them."""
    return dict(re.findall(r"^## (.+?)\n\n```text\n(.+?)\n```\n", PAGE.read_text(), re.MULTILINE | re.DOTALL))


def test_the_page_has_these_errors_and_no_other():
    assert list(sections()) == list(WAYS) == re.findall("^## (.+)$", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("heading", WAYS)
def test_an_error_says_what_the_page_says(heading, everyday, start_worker, spawn, tmp_path):
    # Given the text on the page, in which braces stand for what varies
    text = sections()[heading]
    pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(text))

    # When the error happens, then it says just that
    given = SimpleNamespace(everyday=everyday, start_worker=start_worker, spawn=spawn, tmp_path=tmp_path)
    found = WAYS[heading](given)
    assert re.fullmatch(pattern, found), f"it says\n{found}\nand the page has\n{text}"
