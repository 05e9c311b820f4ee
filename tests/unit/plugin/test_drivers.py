"""Drivers: picked by name, in order, and refused in words that say what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from celeriac.contracts import Serializer
from celeriac.exceptions import PluginConflict, PluginLoadError, PluginNotFound
from celeriac.plugin import hookimpl

TRANSPORT = "class Transport: pass\nclass Other: pass\nnot_a_class = 5\n"


def install_broker(site, name="foo", text=TRANSPORT, version="1.0", attribute="Transport"):
    module = f"celeriac_{name}_broker"
    site.install(f"celeriac-{name}", version, {"celeriac.brokers": {name: f"{module}:{attribute}"}}, {module: text})
    return module


def message_of(call, *arguments):
    with pytest.raises(Exception) as raised:  # noqa: PT011  # each test says which by its words
        call(*arguments)
    return str(raised.value)


# --- finding ----------------------------------------------------------------------------------------------------------


def test_an_entry_point_answers_to_its_name(site, manager):
    install_broker(site)
    found = manager().driver("broker", "foo")
    assert (found.__module__, found.__name__) == ("celeriac_foo_broker", "Transport")


def test_only_the_chosen_one_is_imported(site, manager):
    chosen, other = install_broker(site), install_broker(site, "bar", "raise SystemExit('imported')")
    manager().driver("broker", "foo")
    assert chosen in sys.modules
    assert other not in sys.modules


def test_a_class_is_its_own_answer(manager):
    class Mine:
        pass

    assert manager().driver("broker", Mine) is Mine


def test_a_target_is_imported_and_wins_over_every_name(site, manager):
    install_broker(site)
    plugins = manager()
    plugins.register_driver("broker", "celeriac_foo_broker:Other", int)
    assert plugins.driver("broker", "celeriac_foo_broker:Other").__name__ == "Other"


def test_a_dotted_path_is_imported_where_nobody_offers_it_as_a_name(site, manager):
    install_broker(site)
    assert manager().driver("broker", "celeriac_foo_broker.Other").__name__ == "Other"


def test_what_is_registered_here_wins_over_hooks_and_entry_points(site, manager):
    install_broker(site)
    plugins = manager()

    class Mine:
        pass

    class Hooked:
        @hookimpl
        def celeriac_broker(self, scheme):
            raise AssertionError("must not be asked")

    plugins.register(Hooked)
    plugins.register_driver("broker", "foo", Mine)
    assert plugins.driver("broker", "foo") is Mine


def test_a_hook_wins_over_an_entry_point_and_leaves_what_it_does_not_answer(site, manager):
    install_broker(site)
    install_broker(site, "bar")

    class FromHook:
        pass

    class Plugin:
        @hookimpl
        def celeriac_broker(self, scheme):
            return FromHook if scheme == "foo" else None

    plugins = manager()
    plugins.register(Plugin)
    assert plugins.driver("broker", "foo") is FromHook
    assert plugins.driver("broker", "bar").__module__ == "celeriac_bar_broker"


def test_an_answer_is_kept_until_something_is_registered(site, manager):
    asked = []

    class Plugin:
        @hookimpl
        def celeriac_broker(self, scheme):
            asked.append(scheme)
            return int

    plugins = manager()
    plugins.register(Plugin)
    plugins.driver("broker", "foo")
    plugins.driver("broker", "foo")
    assert asked == ["foo"]
    plugins.register_driver("broker", "other", str)
    plugins.driver("broker", "foo")
    assert asked == ["foo", "foo"]


def test_apps_do_not_share_what_is_registered(manager):
    one, other = manager(), manager()
    one.register_driver("pool", "mine", int)
    assert one.driver("pool", "mine") is int
    with pytest.raises(PluginNotFound):
        other.driver("pool", "mine")


def test_two_different_classes_under_one_name_are_a_conflict(manager):
    plugins = manager()
    plugins.register_driver("pool", "mine", int)
    plugins.register_driver("pool", "mine", int)
    with pytest.raises(PluginConflict, match="'mine' is registered already"):
        plugins.register_driver("pool", "mine", str)


def test_a_kind_that_does_not_exist_is_refused(manager):
    with pytest.raises(ValueError, match="no drivers of kind 'broke', only broker, backend"):
        manager().driver("broke", "foo")


def test_commands_are_objects_and_schedulers_have_no_hook(site, manager):
    site.install(
        "celeriac-tools",
        entry_points={"celeriac.commands": {"tool": "tools:command"}, "celeriac.schedulers": {"tool": "tools:Plan"}},
        modules={"tools": "command = object()\nclass Plan: pass\n"},
    )
    plugins = manager()
    assert plugins.driver("command", "tool") is sys.modules["tools"].command
    assert plugins.driver("scheduler", "tool") is sys.modules["tools"].Plan


def test_the_names_are_listed_without_importing(site, manager):
    install_broker(site, text="raise SystemExit('imported')")
    plugins = manager()
    plugins.register_driver("broker", "bar", int)
    assert plugins.driver_names("broker") == ["bar", "foo"]


def test_many_threads_get_the_same_class(site, manager):
    install_broker(site)
    plugins = manager()
    start, found = threading.Barrier(8), []

    def ask():
        start.wait()
        found.append(plugins.driver("broker", "foo"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


# --- stevedore --------------------------------------------------------------------------------------------------------


def test_stevedore_picks_the_driver_and_neither_scans_nor_writes(site, tmp_path):
    # Given a process with a cache directory of its own, in which stevedore's own scan would be an error
    install_broker(site)
    code = (
        "import stevedore._cache as cache\n"
        "def refuse(*_): raise SystemExit('stevedore scanned')\n"
        "cache.get_group_all = refuse\n"
        "cache._c.get_group_all = refuse\n"
        "from celeriac.plugin import PluginManager\n"
        "from stevedore.extension import ExtensionManager\n"
        "print(PluginManager().driver('broker', 'foo').__name__, ExtensionManager.ENTRY_POINT_CACHE)\n"
    )
    home = tmp_path / "user"
    home.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(site.directory),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    # When a driver is picked
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    # Then it is found, stevedore's caches stay empty, and no file was written
    assert done.stdout == "Transport {}\n", done.stderr
    assert list(home.rglob("*")) == []


# --- refusing ---------------------------------------------------------------------------------------------------------


def test_a_known_name_that_is_not_installed_says_what_to_install(site, manager):
    install_broker(site)
    message = message_of(manager().driver, "broker", "rediss")
    assert message == (
        "the broker 'rediss' is not installed. It comes with celeriac-redis: pip install celeriac-redis. "
        "Installed: foo."
    )


def test_a_transport_of_kombu_says_how_to_offer_it(manager):
    message = message_of(manager().driver, "broker", "sqs")
    assert '[project.entry-points."celeriac.brokers"] sqs = "kombu.transport.SQS:Transport"' in message
    assert message.endswith("No plugin with a broker is installed.")


def test_an_unknown_name_gets_the_nearest_spelling(site, manager):
    install_broker(site, "spooler")
    plugins = manager()
    assert message_of(plugins.driver, "broker", "spoler") == (
        "no installed plugin offers the broker 'spoler'. Did you mean 'spooler'? Installed: spooler."
    )
    assert "Did you mean 'prefork'?" in message_of(plugins.driver, "pool", "prefrok")
    assert "Did you mean" not in message_of(plugins.driver, "broker", "zzz")


def test_two_distributions_with_different_targets_are_a_conflict_that_names_both(site, manager):
    install_broker(site, version="1.2")
    site.install("acme-queues", "3.4", {"celeriac.brokers": {"foo": "acme:Transport"}}, {"acme": TRANSPORT})
    plugins = manager()
    message = message_of(plugins.driver, "broker", "foo")
    assert message == (
        "the broker 'foo' is offered by acme-queues 3.4 (acme:Transport) and by celeriac-foo 1.2 "
        "(celeriac_foo_broker:Transport). Uninstall one of them, disable one with CELERIAC_PLUGINS_DISABLE, or name "
        "the one you want as 'package.module:object'"
    )
    # And what it advises works
    assert plugins.driver("broker", "acme:Transport").__module__ == "acme"


def test_a_conflict_ends_when_one_of_the_two_is_disabled(site, manager, monkeypatch):
    install_broker(site)
    site.install("acme-queues", entry_points={"celeriac.brokers": {"foo": "acme:T"}}, modules={"acme": TRANSPORT})
    monkeypatch.setenv("CELERIAC_PLUGINS_DISABLE", "acme-queues")
    assert manager().driver("broker", "foo").__module__ == "celeriac_foo_broker"


def test_a_conflict_hurts_nobody_who_does_not_use_the_name(site, manager):
    install_broker(site)
    install_broker(site, "bar")
    site.install("acme-queues", entry_points={"celeriac.brokers": {"foo": "acme:T"}}, modules={"acme": TRANSPORT})
    assert manager().driver("broker", "bar")


def test_a_disabled_driver_says_that_it_was_disabled(site, manager, monkeypatch):
    install_broker(site)
    monkeypatch.setenv("CELERIAC_PLUGINS_DISABLE", "foo")
    with pytest.raises(PluginNotFound) as raised:
        manager().driver("broker", "foo")
    assert str(raised.value) == (
        "the broker 'foo' is offered by celeriac-foo 1.0, which is disabled: CELERIAC_PLUGINS_DISABLE names foo"
    )


def test_a_driver_outside_the_allow_list_says_so(site, manager):
    install_broker(site)
    assert "the allow-list" in message_of(manager(allow=["celeriac-other"]).driver, "broker", "foo")
    assert manager(allow=["foo"]).driver("broker", "foo")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "import a_client_library\n",
            "ModuleNotFoundError: No module named 'a_client_library'. It needs the module 'a_client_library', which is "
            "not installed: pip install celeriac-foo",
        ),
        (
            "import celeriac_foo_broker.lost\n",
            "Its files are missing: pip install --force-reinstall celeriac-foo",
        ),
        ("1 / 0\n", "ZeroDivisionError: division by zero. Upgrade it: pip install --upgrade celeriac-foo"),
        ("", "has no attribute 'Transport'"),
        ("def", "SyntaxError"),
    ],
)
def test_a_driver_that_cannot_be_imported_names_whose_it_is_and_what_to_do(site, manager, text, words):
    install_broker(site, text=text, version="2.1")
    with pytest.raises(PluginLoadError) as raised:
        manager().driver("broker", "foo")
    assert str(raised.value).startswith("the broker 'foo' of celeriac-foo 2.1 cannot be loaded: ")
    assert words in str(raised.value)
    assert raised.value.__cause__ is not None


def test_a_target_that_cannot_be_imported_is_an_error_with_its_cause(manager):
    with pytest.raises(PluginLoadError, match="'no_such_module:Thing' cannot be loaded: ModuleNotFoundError") as raised:
        manager().driver("broker", "no_such_module:Thing")
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


def test_a_driver_that_is_no_class_is_refused(site, manager):
    install_broker(site, attribute="not_a_class")
    message = message_of(manager().driver, "broker", "foo")
    assert message == "the broker 'foo' of celeriac-foo 1.0 must be a class, and is 5"


def test_a_driver_that_leaves_out_parts_of_its_contract_is_refused(manager):
    class Half(Serializer):
        def dumps(self, value):
            return b""

    message = message_of(manager().driver, "serializer", Half)
    assert message == "the serializer 'Half' of this process does not implement loads"


@pytest.mark.parametrize(("version", "upgrade"), [(2, "celeriac"), (0, "celeriac-foo"), ("new", "celeriac")])
def test_a_driver_for_another_version_of_the_contract_is_refused_with_what_to_upgrade(site, manager, version, upgrade):
    install_broker(site, text=f"class Transport:\n    api_version = {version!r}\n")
    message = message_of(manager().driver, "broker", "foo")
    assert message == (
        f"the broker 'foo' of celeriac-foo 1.0 is written for version {version} of the broker contract, and this "
        f"kernel serves version 1. Upgrade it: pip install --upgrade {upgrade}"
    )


def test_what_a_hook_returns_is_held_to_the_contract_too(manager):
    class Plugin:
        @hookimpl
        def celeriac_pool(self, name):
            return "not a class"

    plugins = manager()
    plugins.register(Plugin)
    assert "must be a class" in message_of(plugins.driver, "pool", "foo")
