"""Commands that users add."""

from __future__ import annotations

import pytest

from celeriac.contracts import ControlCommand
from celeriac.exceptions import PluginConflict
from celeriac.plugin import hookimpl
from celeriac.worker.control import Panel, commands_of, control_command, handlers_of, inspect_command

#: The commands of the reference list, and our own.
OURS = {"pause_queue", "resume_queue"}


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    """Whatever a test adds, the next one does not see."""
    monkeypatch.setattr(Panel, "data", dict(Panel.data))
    monkeypatch.setattr(Panel, "meta", dict(Panel.meta))


def test_a_function_becomes_a_command_by_a_decorator(app):
    @control_command(args=[("n", int)], signature="[N=1]", alias="add_more", default_timeout=3)
    def more(state, n=1):
        """Do more.

        Much more.
        """
        return {"ok": n}

    assert more(None, 2) == {"ok": 2}  # it is still the function
    command = commands_of(app)["more"]
    assert (command.type, command.help, command.signature, command.default_timeout) == (
        "control",
        "Do more.",
        "[N=1]",
        3,
    )
    assert command.args == [("n", int)]
    assert handlers_of(app)["add_more"] is more


def test_an_inspect_command_may_have_another_name_than_its_function(app):
    @inspect_command(name="how-many", visible=False, help="Count.")
    def count(state):
        return 1

    assert commands_of(app)["how-many"].type == "inspect"
    assert not commands_of(app)["how-many"].visible
    assert "count" not in commands_of(app)


def test_panel_register_takes_a_function_with_and_without_arguments(app):
    @Panel.register
    def one(state):
        return 1

    @Panel.register(type="inspect")
    def two(state):
        return 2

    assert commands_of(app)["one"].type == "control"
    assert commands_of(app)["two"].type == "inspect"


def test_a_plugin_brings_commands_by_its_hook(app):
    class Shouting:
        @hookimpl
        def celeriac_control_commands(self, app):
            return [ControlCommand("shout", lambda state: {"ok": "!"}, "inspect", alias="cry")]

    app.plugins.register(Shouting())
    assert commands_of(app)["shout"].type == "inspect"
    assert handlers_of(app)["shout"](None) == handlers_of(app)["cry"](None) == {"ok": "!"}
    assert "shout" not in Panel.data  # it is this app's alone


def test_a_plugin_cannot_take_the_name_of_another_command(app):
    class Pinging:
        @hookimpl
        def celeriac_control_commands(self, app):
            return [ControlCommand("ping", lambda state: None)]

    app.plugins.register(Pinging(), "pinging")
    with pytest.raises(PluginConflict, match=r"the control command 'ping' of .*pinging.* has the name of another one"):
        commands_of(app)


def test_every_command_says_what_it_is_for():
    for command in Panel.meta.values():
        assert command.help.endswith("."), command.name
        assert command.type in {"control", "inspect"}
    assert set(Panel.meta) >= OURS
