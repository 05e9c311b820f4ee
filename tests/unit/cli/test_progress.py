"""How far something is that takes longer than a person waits for without a word."""

from __future__ import annotations

import io
import re
import sys
import uuid

import pytest

from celeriac.app.base import Celery
from celeriac.cli import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def watched(celeriac, monkeypatch):
    """Return ``watched(*arguments, app)``: code, output, and what a person sees besides, of the command line."""
    monkeypatch.setenv("TERM", "xterm")

    def call(*arguments, app):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", Terminal())
            code, output, _ = celeriac(*arguments, app=app)
            return code, output, sys.stderr.getvalue()

    return call


@pytest.fixture
def app(put):
    """An app, five of whose tasks are dead letters."""
    app = Celery("proj", broker=f"memory://{uuid.uuid4().hex}", set_as_current=False)
    put(app, "celery.dlq", *["t"] * 5)
    yield app
    app.close()


@pytest.fixture
def at_once(monkeypatch):
    """Even what is over soon takes longer than one waits."""
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)


def steps(seen):
    return [int(number) for number in re.findall(r"(\d+)%", seen)]


@pytest.mark.parametrize("command", ["requeue", "purge"])
def test_what_becomes_of_dead_letters_shows_how_far_it_is(watched, app, at_once, command):
    options = ["--force"] if command == "purge" else []
    code, output, seen = watched("dlq", command, "celery", "--all", *options, app=app)
    assert (code, output) == (0, f"5 messages {'removed' if command == 'purge' else 'sent again'}\n")
    # Each is taken, and then dealt with
    found = steps(seen)
    assert found == sorted(found)
    assert {10, 50, 60, 100} <= set(found)


def test_messages_that_move_to_another_broker_show_how_far_they_are(watched, app, at_once):
    source, destination = app.conf.broker_url, f"memory://{uuid.uuid4().hex}"
    options = ["-a", "-t", "0.01", "-Q", "celery.dlq"]
    assert steps(watched("migrate", source, destination, *options, app=app)[2])[-1] == 100


def test_what_is_over_within_a_second_says_nothing(watched, app):
    assert watched("dlq", "purge", "celery", "--all", "-f", app=app) == (0, "5 messages removed\n", "")


def test_on_a_terminal_that_cannot_move_its_cursor_there_is_no_bar(watched, app, at_once, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert watched("dlq", "purge", "celery", "--all", "-f", app=app)[2] == ""


def test_who_wants_to_hear_little_sees_no_bar(watched, app, at_once):
    assert watched("--quiet", "dlq", "purge", "celery", "--all", "-f", app=app)[2] == ""
