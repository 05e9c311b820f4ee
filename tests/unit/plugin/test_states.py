"""The state of each distribution, as `celeriac plugins` shows it."""

from __future__ import annotations

import pytest

from celeriac.exceptions import PluginWarning
from celeriac.plugin import hookimpl
from celeriac.plugin.state import State


def state_of(plugins, name, **options):
    return next(state for state in plugins.states(**options) if state.distribution == name)


def install(site, name, text, version="1.0"):
    module = f"celeriac_{name}_broker"
    site.install(f"celeriac-{name}", version, {"celeriac.brokers": {name: f"{module}:T"}}, {module: text})


def test_a_distribution_is_ready_with_what_it_offers(site, manager):
    site.install(
        "celeriac-foo",
        "2.0",
        {
            "celeriac.brokers": {"foo": "foo:T", "foos": "foo:T"},
            "celeriac.pools": {"foo": "foo:P"},
            "celeriac.plugins": {"foo": "foo"},
            "celeriac.other": {"x": "foo:X"},
        },
        {
            "foo": """
                from celeriac.plugin import hookimpl
                class T: pass
                class P: pass
                @hookimpl
                def celeriac_report(): return {}
                @hookimpl
                def celeriac_finalized(app): pass
            """
        },
    )
    state = state_of(manager(), "celeriac-foo", check_drivers=True)
    assert (state.version, state.state, state.reason) == ("2.0", State.READY, "")
    assert state.hooks == ("celeriac_finalized", "celeriac_report")
    assert dict(state.drivers) == {"broker": ("foo", "foos"), "pool": ("foo",)}
    assert state.location == str(site.directory)


def test_the_kernel_comes_first(site, manager):
    install(site, "alpha", "class T: pass")
    site.install("celeriac", entry_points={"celeriac.pools": {"solo": "m:P"}})
    assert [state.distribution for state in manager().states()] == ["celeriac", "celeriac-alpha"]


@pytest.mark.parametrize(
    ("text", "expected", "words"),
    [
        ("import a_client_library", State.MISSING_DEPENDENCY, "No module named 'a_client_library'"),
        ("import celeriac_foo_broker.lost", State.FAILED, "--force-reinstall"),
        ("1 / 0", State.FAILED, "ZeroDivisionError"),
        ("class T:\n    api_version = 9", State.FAILED, "version 9 of the broker contract"),
    ],
)
def test_a_driver_that_cannot_be_used_says_why_when_it_is_tried(site, manager, text, expected, words):
    install(site, "foo", text)
    plugins = manager()
    assert state_of(plugins, "celeriac-foo").state is State.READY
    state = state_of(plugins, "celeriac-foo", check_drivers=True)
    assert state.state is expected
    assert words in state.reason


def test_a_plugin_without_its_client_library_lacks_a_dependency(site, manager):
    site.install_plugin("foo", "import a_client_library")
    plugins = manager()
    with pytest.warns(PluginWarning):
        state = state_of(plugins, "celeriac-foo")
    assert state.state is State.MISSING_DEPENDENCY


def test_a_conflict_is_seen_at_both_and_ends_with_one_disabled(site, manager, monkeypatch):
    install(site, "foo", "class T: pass")
    site.install("acme", entry_points={"celeriac.brokers": {"foo": "acme:T"}}, modules={"acme": "class T: pass"})
    plugins = manager()
    for name in ("celeriac-foo", "acme"):
        state = state_of(plugins, name)
        assert state.state is State.CONFLICT
        assert "acme 1.0 (acme:T) and by celeriac-foo 1.0" in state.reason
    monkeypatch.setenv("CELERIAC_PLUGINS_DISABLE", "acme")
    plugins = manager()
    assert state_of(plugins, "celeriac-foo").state is State.READY
    disabled = state_of(plugins, "acme")
    assert (disabled.state, disabled.reason) == (State.DISABLED, "CELERIAC_PLUGINS_DISABLE names acme")


def test_a_disabled_distribution_is_not_imported_to_see_whether_it_works(site, manager, monkeypatch):
    install(site, "foo", "raise SystemExit('imported')")
    monkeypatch.setenv("CELERIAC_PLUGINS_DISABLE", "foo")
    assert state_of(manager(), "celeriac-foo", check_drivers=True).state is State.DISABLED


def test_what_is_registered_in_this_process_is_listed_too(manager):
    class Mine:
        @hookimpl
        def celeriac_report(self):
            return {}

    plugins = manager()
    plugins.register(Mine(), "mine")
    plugins.register_driver("pool", "own", int)
    assert state_of(plugins, "mine").hooks == ("celeriac_report",)
    assert dict(state_of(plugins, "registered in this process").drivers) == {"pool": ("own",)}
