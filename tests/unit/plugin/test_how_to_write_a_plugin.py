"""The plugin of the how-to works as written."""

from __future__ import annotations

import re
import tomllib
import types

import pytest

from celeriac.contracts import OutgoingMessage
from celeriac.contracts.middleware import bind
from celeriac.plugin.drivers import GROUPS
from celeriac.plugin.manager import PluginManager


@pytest.fixture(scope="session")
def page(pytestconfig):
    return (pytestconfig.rootpath / "docs" / "how-to" / "write-a-plugin.md").read_text()


def titled_blocks(page):
    """The code blocks that begin with the name of a file, by that name."""
    found = {}
    for text in re.findall(r"^```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if title := re.match(r"# (\S+\.\w+)\n", text):
            found[title.group(1)] = text
    return found


@pytest.fixture
def plugins(page, site):
    files = titled_blocks(page)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    modules = {
        path.removeprefix("src/").removesuffix(".py").replace("/", "."): text
        for path, text in files.items()
        if path.endswith(".py")
    }
    site.install(project["name"], project["version"], project["entry-points"], modules)
    app = types.SimpleNamespace(conf=types.SimpleNamespace(greeting_text="good morning"))
    return PluginManager(app, index=site.index)


def test_its_setting_option_and_step_are_there(plugins, capsys):
    assert plugins.schema()["greeting_text"].default == "hello"
    (option,) = plugins.cli_options("worker")
    assert option.opts == ["--greet"]
    assert plugins.cli_options("beat") == []
    # And the step does with them what the page says
    (step,) = plugins.worker_steps()
    step(None, **{option.name: "Ada"}).start(types.SimpleNamespace(app=plugins._app))
    assert capsys.readouterr().out == "good morning, Ada\n"


def test_its_middleware_changes_what_is_sent(plugins):
    sent = []
    message = OutgoingMessage(b"", "", "", {}, {}, "", "")
    bind(plugins.middlewares("publish"), sent.append)(message)
    assert sent == [message]
    assert message.headers == {"greeting": "good morning"}


def test_every_group_that_it_names_exists(page):
    named = set(re.findall(r'entry-points\."(celeriac\.\w+)"', page))
    assert named - {"celeriac.plugins"} <= set(GROUPS.values())


def test_every_command_that_it_names_exists(page):
    from celeriac.cli.plugins import plugins as group

    assert set(re.findall(r"celeriac plugins (\w+)", page)) <= set(group.commands)
