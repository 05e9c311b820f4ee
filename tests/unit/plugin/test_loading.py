"""Loading plugins: in a fixed order, each on its own feet, once per app."""

from __future__ import annotations

import logging
import threading
import types
import warnings

import pytest

from celeriac.exceptions import PluginConflict, PluginError, PluginLoadError, PluginNotFound, PluginWarning
from celeriac.plugin import Setting, hookimpl

NOTE = """
    @hookimpl
    def celeriac_outcome_listeners(app):
        return [__name__.split("_")[1]]
"""


def asked(plugins):
    """The plugins of `NOTE`, in the order in which they are asked."""
    return plugins.outcome_listeners()


# --- order ------------------------------------------------------------------------------------------------------------


def test_nothing_is_imported_before_the_first_question(site, manager):
    site.install_plugin("foo", "raise SystemExit('imported')")
    plugins = manager()
    assert plugins.driver_names("broker") == []


def test_plugins_are_asked_by_distribution_and_name(site, manager):
    for name in ("zeta", "alpha", "midway"):
        site.install_plugin(name, NOTE)
    assert asked(manager()) == ["alpha", "midway", "zeta"]


def test_a_plugin_of_this_process_is_asked_before_those_that_were_found(site, manager):
    site.install_plugin("found", NOTE)

    class Mine:
        @hookimpl
        def celeriac_outcome_listeners(self):
            return ["mine"]

    plugins = manager()
    plugins.register(Mine())
    assert asked(plugins) == ["mine", "found"]


def test_a_plugin_can_ask_to_be_first_or_last(site, manager):
    for name, mark in (("a", "trylast=True"), ("b", ""), ("c", "tryfirst=True")):
        site.install_plugin(name, NOTE.replace("@hookimpl", f"@hookimpl({mark})"))
    assert asked(manager()) == ["c", "b", "a"]


def test_an_entry_point_may_name_a_class_an_object_or_a_module(site, manager):
    site.install(
        "celeriac-foo",
        entry_points={"celeriac.plugins": {"a": "many:Plugin", "b": "many:plugin", "c": "one"}},
        modules={
            "many": """
                from celeriac.plugin import hookimpl
                class Plugin:
                    def __init__(self, name="class"):
                        self.name = name
                    @hookimpl
                    def celeriac_outcome_listeners(self):
                        return [self.name]
                plugin = Plugin("object")
            """,
            "one": """
                from celeriac.plugin import hookimpl
                @hookimpl
                def celeriac_outcome_listeners():
                    return ["module"]
            """,
        },
    )
    assert asked(manager()) == ["class", "object", "module"]


def test_two_apps_have_plugins_of_their_own(site, manager):
    site.install_plugin("found", NOTE)
    one, other = manager(), manager()

    class Mine:
        @hookimpl
        def celeriac_outcome_listeners(self, app):
            return [app]

    one.register(Mine)
    assert asked(one)[0] is one._app
    assert asked(other) == ["found"]


def test_threads_wait_until_the_first_has_loaded_all(site, manager):
    # Given a plugin whose import lasts until the other thread is known to wait
    gate = types.ModuleType("gate_of_the_test")
    gate.entered, gate.open = threading.Event(), threading.Event()
    import sys

    sys.modules["gate_of_the_test"] = gate
    try:
        site.install_plugin(
            "slow", "import gate_of_the_test as g\ng.entered.set()\nassert g.open.wait(20)\n" + _flat(NOTE)
        )
        plugins = manager()
        found = []
        threads = [threading.Thread(target=lambda: found.append(asked(plugins))) for _ in range(2)]
        threads[0].start()
        assert gate.entered.wait(20)
        threads[1].start()
        # When it goes on
        gate.open.set()
        for thread in threads:
            thread.join()
    finally:
        del sys.modules["gate_of_the_test"]
    # Then both threads were answered by it
    assert found == [["slow"], ["slow"]]


def _flat(text):
    from textwrap import dedent

    return dedent(text)


def test_a_plugin_may_ask_the_manager_while_it_is_told_of_the_app(manager):
    seen = []

    class Curious:
        @hookimpl
        def celeriac_app_created(self, app):
            seen.append(plugins.driver_names("pool"))
            seen.append(len(plugins.schema()))

    plugins = manager()
    plugins.register(Curious)
    assert seen == [[], 0]


# --- isolation --------------------------------------------------------------------------------------------------------

BROKEN = {
    "import": ("import a_client_library\n", "No module named 'a_client_library'"),
    "syntax": ("def", "SyntaxError"),
    "unknown hook": ("@hookimpl\ndef celeriac_setings(): pass\n", "Did you mean 'celeriac_settings'"),
    "unknown argument": (
        "@hookimpl\ndef celeriac_broker(app, schema): pass\n",
        "implements celeriac_broker with the argument schema, but its arguments are app, scheme",
    ),
    "argument of none": ("@hookimpl\ndef celeriac_settings(app): pass\n", "the argument app, but it has no arguments"),
    "no mark": (
        "def celeriac_settings(): return []\n",
        "defines celeriac_settings without @hookimpl, so it would never be called",
    ),
    "wrapper": ("@hookimpl(wrapper=True)\ndef celeriac_settings(): yield\n", "as a wrapper"),
}


@pytest.mark.parametrize(("text", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_reported_and_all_others_work(site, manager, caplog, text, words):
    # Given a broken plugin between two good ones
    site.install_plugin("alpha", NOTE)
    site.install_plugin("broken", text, version="3.1")
    site.install_plugin("zeta", NOTE)
    plugins = manager()
    # When the plugins are needed
    with pytest.warns(PluginWarning) as warned, caplog.at_level(logging.WARNING, logger="celeriac"):
        found = asked(plugins)
    # Then the others answer, and one warning and one line of the log say what is wrong, and whose it is
    assert found == ["alpha", "zeta"]
    (message,) = [str(warning.message) for warning in warned]
    assert words in message
    assert "celeriac-broken 3.1" in message
    assert [record.getMessage() for record in caplog.records] == [message]
    # And the list of plugins says why
    state = next(state for state in plugins.states() if state.distribution == "celeriac-broken")
    assert state.reason == message


def test_a_broken_plugin_is_reported_once_per_process(site, manager):
    site.install_plugin("broken", "1 / 0")
    with pytest.warns(PluginWarning):
        manager().ensure_loaded()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        manager().ensure_loaded()


def test_when_strict_a_broken_plugin_is_an_error_each_time(site, manager, monkeypatch):
    monkeypatch.setenv("CELERIAC_PLUGINS_STRICT", "1")
    site.install_plugin("alpha", NOTE)
    site.install_plugin("broken", "1 / 0")
    plugins = manager()
    for _ in range(2):
        with pytest.raises(PluginLoadError, match=r"the plugin 'broken' of celeriac-broken 1\.0") as raised:
            plugins.ensure_loaded()
        assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_disabled_plugin_is_not_imported(site, manager, monkeypatch):
    monkeypatch.setenv("CELERIAC_PLUGINS_DISABLE", "broken")
    site.install_plugin("broken", "1 / 0")
    site.install_plugin("alpha", NOTE)
    assert asked(manager()) == ["alpha"]


def test_an_allow_list_admits_nobody_else(site, manager):
    site.install_plugin("broken", "1 / 0")
    site.install_plugin("alpha", NOTE)
    assert asked(manager(allow=["celeriac-alpha"])) == ["alpha"]
    assert asked(manager(allow=())) == []


def test_a_hook_of_a_newer_kernel_can_be_marked_as_optional(site, manager):
    site.install_plugin("new", "@hookimpl(optionalhook=True)\ndef celeriac_of_tomorrow(app): pass\n" + _flat(NOTE))
    assert asked(manager()) == ["new"]


# --- the setting `plugins` --------------------------------------------------------------------------------------------


def test_the_setting_loads_modules_targets_and_objects_in_its_order(site, manager):
    for name in ("one", "two", "three"):
        (site.directory / f"mod_{name}_of_mine.py").write_text("from celeriac.plugin import hookimpl\n" + _flat(NOTE))
    (site.directory / "pack").mkdir()
    (site.directory / "pack" / "__init__.py").write_text("")
    (site.directory / "pack" / "mod_four_x.py").write_text(
        "from celeriac.plugin import hookimpl\n"
        "class Plugin:\n    @hookimpl\n    def celeriac_outcome_listeners(self):\n        return ['four']\n"
    )

    class Mine:
        @hookimpl
        def celeriac_outcome_listeners(self):
            return ["mine"]

    plugins = manager()
    plugins.load(["mod_one_of_mine", "pack.mod_four_x:Plugin", Mine(), "mod_two_of_mine"])
    plugins.load(["pack.mod_four_x.Plugin"])
    assert asked(plugins) == ["one", "four", "mine", "two"]


def test_what_was_found_already_can_be_named_and_stays(site, manager):
    site.install_plugin("alpha", NOTE)
    site.install_plugin("zeta", NOTE)
    plugins = manager()
    plugins.load(["zeta", "celeriac-alpha"])
    plugins.load(["zeta"])
    assert asked(plugins) == ["alpha", "zeta"]


def test_naming_a_broken_plugin_is_an_error_with_its_cause(site, manager):
    site.install_plugin("broken", "1 / 0", version="3.1")
    plugins = manager()
    with pytest.warns(PluginWarning), pytest.raises(PluginLoadError, match=r"celeriac-broken 3\.1") as raised:
        plugins.load(["broken"])
    causes = []
    cause = raised.value.__cause__
    while cause is not None:
        causes.append(type(cause))
        cause = cause.__cause__
    assert ZeroDivisionError in causes


def test_naming_a_module_that_is_not_there_is_an_error_with_the_nearest_spelling(site, manager):
    site.install_plugin("greetings", NOTE)
    plugins = manager()
    with pytest.raises(PluginLoadError, match=r"names 'greeting', which cannot be loaded.*Did you mean 'greetings'"):
        plugins.load(["greeting"])
    with pytest.raises(PluginLoadError, match=r"names 'no\.such:thing'"):
        plugins.load(["no.such:thing"])


def test_naming_a_disabled_plugin_is_an_error_that_says_so(site, manager, monkeypatch):
    monkeypatch.setenv("CELERIAC_PLUGINS_DISABLE", "alpha")
    site.install_plugin("alpha", NOTE)
    with pytest.raises(PluginNotFound, match="it is disabled: CELERIAC_PLUGINS_DISABLE names alpha"):
        manager().load(["alpha"])


def test_naming_a_name_that_two_distributions_use_is_a_conflict(site, manager):
    site.install("a-one", entry_points={"celeriac.plugins": {"same": "a_one"}}, modules={"a_one": "x = 1"})
    site.install("b-two", entry_points={"celeriac.plugins": {"same": "b_two"}}, modules={"b_two": "x = 1"})
    plugins = manager()
    plugins.ensure_loaded()  # found automatically both take part: nobody has to choose
    with pytest.raises(PluginConflict, match=r"'same' is offered by a-one 1\.0 \(a_one\) and by b-two 1\.0 \(b_two\)"):
        plugins.load(["same"])


# --- registering in this process --------------------------------------------------------------------------------------


class Greeter:
    @hookimpl
    def celeriac_settings(self):
        return [Setting("greeting", str, "hello", "What is said first.")]


def test_registering_twice_changes_nothing(manager):
    plugins = manager()
    greeter = Greeter()
    assert plugins.register(greeter) == plugins.register(greeter)
    name = plugins.register(Greeter)
    assert name == plugins.register(Greeter)
    assert [setting.name for setting in plugins.schema()] == ["greeting"]


def test_a_name_that_another_has_is_a_conflict(manager):
    plugins = manager()
    plugins.register(Greeter(), "greeter")
    with pytest.raises(PluginConflict, match="another plugin is registered as 'greeter'"):
        plugins.register(types.SimpleNamespace(), "greeter")


@pytest.mark.parametrize("by", ["object", "class", "name"])
def test_an_unregistered_plugin_is_asked_no_more(manager, by):
    plugins = manager()
    greeter = Greeter()
    plugins.register(greeter, "greeter")
    plugins.unregister({"object": greeter, "class": Greeter, "name": "greeter"}[by])
    assert len(plugins.schema()) == 0
    with pytest.raises(KeyError):
        plugins.unregister(greeter)
    plugins.register(greeter, "greeter")
    assert len(plugins.schema()) == 1


def test_registering_what_does_not_fit_is_an_error_and_leaves_no_trace(manager):
    class Misspelt:
        @hookimpl
        def celeriac_setings(self):
            return []

    plugins = manager()
    with pytest.raises(PluginError, match=r"hook celeriac_setings, which does not exist.*'celeriac_settings'"):
        plugins.register(Misspelt(), "wrong")
    plugins.register(Greeter(), "wrong")
    assert len(plugins.schema()) == 1


def test_one_that_fails_when_told_of_the_app_leaves_no_trace(manager):
    class Failing(Greeter):
        @hookimpl
        def celeriac_app_created(self):
            raise OSError("no disk")

    plugins = manager()
    plugins.ensure_loaded()
    with pytest.raises(PluginError, match=r"the plugin failing registered in this process failed.*OSError: no disk"):
        plugins.register(Failing(), "failing")
    assert len(plugins.schema()) == 0
