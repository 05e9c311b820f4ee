"""The command line, run here."""

from __future__ import annotations

import sys

import pytest
from kombu import Queue

from celeriac.cli.main import run


@pytest.fixture
def celeriac(capsys, monkeypatch):
    """Return ``celeriac(*arguments, app=None)``: runs the command line here; gives code, output and errors."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*arguments, app=None):
        with pytest.raises(SystemExit) as ended:
            run(app, arguments)
        output, errors = capsys.readouterr()
        return ended.value.code, output, errors

    return call


@pytest.fixture
def put():
    """Return ``put(app, queue, *names)``: sends a task of each name to the queue."""

    def send(app, queue, *names, **options):
        return [app.send_task(name, (1, 2), queue=queue, **options).id for name in names]

    return send


@pytest.fixture
def taken():
    """Return ``taken(app, queue, url=None)``: the messages of the queue, which are gone after that."""

    def take(app, queue, url=None):
        found = []
        with app.connection_for_read(url) as connection:
            bound = Queue(queue)(connection.default_channel)
            while (message := bound.get(no_ack=True)) is not None:
                found.append(message)
        return found

    return take
