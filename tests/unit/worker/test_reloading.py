"""Task modules imported into a worker that runs."""

from __future__ import annotations

import sys

import pytest

from celeriac import Celery
from celeriac.worker.reloading import module_loader

MODULE = "reloaded_tasks"


@pytest.fixture
def app(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    # Two versions within one second have one time of change, by which compiled files are told apart.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with Celery("reloading", broker="memory://", set_as_current=False) as app:
        monkeypatch.setattr("builtins.the_app", app, raising=False)
        yield app
    sys.modules.pop(MODULE, None)


@pytest.fixture
def write(tmp_path):
    def write(text):
        (tmp_path / f"{MODULE}.py").write_text(text)

    return write


def version(number):
    return f"@the_app.task(name='which')\ndef which():\n    return {number}\n"


def test_a_module_that_was_never_imported_is(app, write):
    write(version(1))
    module_loader(app, ())([MODULE], False)
    assert app.tasks["which"]() == 1


def test_a_module_is_left_alone_unless_it_is_to_be_imported_anew(app, write):
    write(version(1))
    load = module_loader(app, [MODULE])
    load(None, False)
    write(version(2))
    load(None, False)
    assert app.tasks["which"]() == 1


def test_imported_anew_a_module_brings_its_tasks_as_they_are_now(app, write):
    write(version(1))
    load = module_loader(app, [MODULE])
    load(None, False)
    write(version(2))
    load(None, True)
    assert app.tasks["which"]() == 2


def test_a_module_that_is_broken_now_leaves_its_tasks_as_they_were(app, write):
    write(version(1))
    load = module_loader(app, [MODULE])
    load(None, False)
    write("1 / 0")
    with pytest.raises(ZeroDivisionError):
        load(None, True)
    assert app.tasks["which"]() == 1
