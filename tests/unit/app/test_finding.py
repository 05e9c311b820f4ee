"""The app that ``-A`` names, in all forms that Celery's users know."""

from __future__ import annotations

import sys

import pytest

from celeriac.app.finding import find_app
from celeriac.exceptions import ImproperlyConfigured

APP = "from celeriac import Celery\n{name} = Celery('{main}', set_as_current=False)\n"
OTHERS = """
other = Celery('other', set_as_current=False)

class Holder:
    held = Celery('held', set_as_current=False)
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Return ``modules(texts)``, which writes modules, by their paths, into the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(texts):
        for name, text in texts.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("found_"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("path", "main"),
    [
        ("found_one", "app"),
        ("found_one:app", "app"),
        ("found_one.app", "app"),
        ("found_one:other", "other"),
        ("found_one.other", "other"),
        ("found_one:Holder.held", "held"),
        ("found_celery", "celery"),
        ("found_lonely", "lonely"),
        ("found_pack", "packed"),
        ("found_pack.celery", "packed"),
        ("found_pack.celery:app", "packed"),
        ("found_pack:celery", "packed"),
        ("found_own", "own"),
    ],
)
def test_an_app_is_found_by(modules, path, main):
    modules(
        {
            "found_one": APP.format(name="app", main="app") + OTHERS,
            "found_celery": APP.format(name="celery", main="celery"),
            "found_lonely": APP.format(name="anything", main="lonely") + "again = anything\n",
            "found_pack/__init__": "",
            "found_pack/celery": APP.format(name="app", main="packed"),
            "found_own/__init__": APP.format(name="app", main="own"),
            "found_own/celery": "raise RuntimeError('not to be imported')",
        }
    )
    assert find_app(path).main == main


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("found_nowhere", "tried module found_nowhere"),
        ("found_nowhere.app", "tried module found_nowhere.app, module found_nowhere"),
        ("found_two", r"Name it: -A found_two:name_of_the_app"),
        ("found_two:third", "tried module found_two, attribute found_two:third"),
        ("found_two:number", "attribute found_two:number"),
        ("found_empty", "attribute found_empty:app, attribute found_empty:celery, module found_empty.celery"),
        ("", "names no module"),
        (":app", "names no module"),
        ("found_two.py", "that is a file. Name the module: -A found_two$"),
        ("sub/found_two.py", r"-A sub\.found_two$"),
    ],
)
def test_an_app_that_is_not_there_is_an_error_that_says_what_was_tried(modules, path, told):
    two = APP.format(name="first", main="a") + "second = Celery('b', set_as_current=False)\nnumber = 7\n"
    modules({"found_two": two, "found_empty/__init__": ""})
    with pytest.raises(ImproperlyConfigured, match=told):
        find_app(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n\nraise ValueError('of the module')\n", r"ValueError: of the module \(.*found_bad\.py, line 3\)"),
        ("import found_missing\n", r"No module named 'found_missing' \(.*found_bad\.py, line 1\)"),
        ("import json\n\njson.loads('')\n", r"JSONDecodeError: .*\(.*decoder\.py, line \d+\)"),
        ("\ndef (:\n", r"cannot be imported: SyntaxError: invalid syntax \(\S*found_bad\.py, line 2\)$"),
        ("raise ValueError('of\\nlines')\n", r"ValueError: of lines \("),
    ],
)
def test_a_module_that_fails_is_an_error_that_says_where(modules, text, told):
    modules({"found_bad": text})
    with pytest.raises(ImproperlyConfigured, match=told) as raised:
        find_app("found_bad")
    assert raised.value.__cause__ is not None


def test_a_module_of_nearly_that_name_is_offered(modules):
    modules({"found_shop": APP.format(name="app", main="a")})
    with pytest.raises(ImproperlyConfigured, match=r"Did you mean 'found_shop'\?$"):
        find_app("fuond_shop.tasks")


def test_the_current_directory_is_looked_in_first(modules, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "found_here.py").write_text(APP.format(name="app", main="elsewhere"))
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    modules({"found_here": APP.format(name="app", main="here")})
    assert find_app("found_here").main == "here"
