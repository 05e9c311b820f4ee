"""Each hook, asked as the kernel asks it; and what becomes of what a plugin raises."""

from __future__ import annotations

import re

import click
import pytest

from celeriac.contracts import CommandGuard, ControlCommand
from celeriac.exceptions import ImproperlyConfigured, PluginConflict, PluginError
from celeriac.plugin import Middleware, Setting, TaskOption, hookimpl
from celeriac.plugin.specs import HOOKS

APP = object()
LAYERS = [Middleware(50, lambda message, call_next: call_next(message), "x")]
SETTING = Setting("greeting", str, "hello", "What is said first.")
OPTION = TaskOption("tenant", str, "", "For whom.")
GUARD = CommandGuard("names", lambda body: None, lambda body, content_type, data: None)
COMMAND = ControlCommand("shout", lambda state: {"ok": "!"})
OPTIONS = [click.Option(["--greeting"])]


class Driver:
    pass


class Everything:
    """Implements every hook and notes what it was asked."""

    def __init__(self):
        self.told = []

    @hookimpl
    def celeriac_app_created(self, app):
        self.told.append(("created", app))

    @hookimpl
    def celeriac_settings(self):
        yield SETTING

    @hookimpl
    def celeriac_configured(self, app):
        self.told.append(("configured", app))

    @hookimpl
    def celeriac_finalized(self, app):
        self.told.append(("finalized", app))

    @hookimpl
    def celeriac_broker(self, app, scheme):
        return Driver if (app, scheme) == (APP, "everything") else None

    @hookimpl
    def celeriac_backend(self, app, scheme):
        return Driver if (app, scheme) == (APP, "everything") else None

    @hookimpl
    def celeriac_serializer(self, app, name):
        return Driver if (app, name) == (APP, "everything") else None

    @hookimpl
    def celeriac_pool(self, app, name):
        return Driver if (app, name) == (APP, "everything") else None

    @hookimpl
    def celeriac_scheduler(self, app, name):
        return Driver if (app, name) == (APP, "everything") else None

    @hookimpl
    def celeriac_loader(self, app, name):
        return Driver if (app, name) == (APP, "everything") else None

    @hookimpl
    def celeriac_fixups(self, app):
        return [("fixup", app)]

    @hookimpl
    def celeriac_worker_steps(self, app):
        return [("worker step", app)]

    @hookimpl
    def celeriac_consumer_steps(self, app):
        return (("consumer step", app),)

    @hookimpl
    def celeriac_worker_services(self, app):
        return [("service", app)]

    @hookimpl
    def celeriac_command_guards(self, app):
        return [GUARD] if app is APP else []

    @hookimpl
    def celeriac_control_commands(self, app):
        return [COMMAND]

    @hookimpl
    def celeriac_cli_options(self, command):
        return OPTIONS if command == "worker" else []

    @hookimpl
    def celeriac_task_options(self):
        yield OPTION

    @hookimpl
    def celeriac_publish_middleware(self, app):
        return LAYERS if app is APP else []

    @hookimpl
    def celeriac_consume_middleware(self, app):
        return LAYERS if app is APP else []

    @hookimpl
    def celeriac_execute_middleware(self, app):
        return LAYERS if app is APP else []

    @hookimpl
    def celeriac_outcome_listeners(self, app):
        return [("listener", app)]

    @hookimpl
    def celeriac_health_checks(self, app):
        return [("check", app)]

    @hookimpl
    def celeriac_report(self, app):
        return {"everything": str(app is APP)}


#: How the kernel asks each hook, and what it must get.
ASKED = {
    "celeriac_app_created": lambda plugins, everything: everything.told == [("created", APP)],
    "celeriac_settings": lambda plugins, _: list(plugins.schema()) == [SETTING],
    "celeriac_configured": lambda plugins, everything: (
        plugins.hook.tell("celeriac_configured", app=APP) or everything.told[1:] == [("configured", APP)]
    ),
    "celeriac_finalized": lambda plugins, everything: (
        plugins.hook.tell("celeriac_finalized", app=APP) or everything.told[1:] == [("finalized", APP)]
    ),
    **{
        f"celeriac_{kind}": lambda plugins, _, kind=kind: plugins.driver(kind, "everything") is Driver
        for kind in ("broker", "backend", "serializer", "pool", "scheduler", "loader")
    },
    "celeriac_fixups": lambda plugins, _: plugins.fixups() == [("fixup", APP)],
    "celeriac_worker_steps": lambda plugins, _: plugins.worker_steps() == [("worker step", APP)],
    "celeriac_consumer_steps": lambda plugins, _: plugins.consumer_steps() == [("consumer step", APP)],
    "celeriac_worker_services": lambda plugins, _: plugins.worker_services() == [("service", APP)],
    "celeriac_command_guards": lambda plugins, _: plugins.command_guards() == [GUARD],
    "celeriac_control_commands": lambda plugins, _: [command for _, command in plugins.control_commands()] == [COMMAND],
    "celeriac_cli_options": lambda plugins, _: (
        plugins.cli_options("worker") == OPTIONS and plugins.cli_options("call") == []
    ),
    "celeriac_task_options": lambda plugins, _: plugins.task_options() == {"tenant": OPTION},
    "celeriac_publish_middleware": lambda plugins, _: plugins.middlewares("publish") == LAYERS,
    "celeriac_consume_middleware": lambda plugins, _: plugins.middlewares("consume") == LAYERS,
    "celeriac_execute_middleware": lambda plugins, _: plugins.middlewares("execute") == LAYERS,
    "celeriac_outcome_listeners": lambda plugins, _: plugins.outcome_listeners() == [("listener", APP)],
    "celeriac_health_checks": lambda plugins, _: plugins.health_checks() == [("check", APP)],
    "celeriac_report": lambda plugins, _: plugins.report()["everything"] == "True",
}


def with_plugins(site, *registered):
    from celeriac.plugin.manager import PluginManager

    plugins = PluginManager(APP, index=site.index)
    for plugin in registered:
        plugins.register(plugin)
    return plugins


def test_no_hook_is_without_a_test():
    assert set(ASKED) == set(HOOKS)


#: Hooks that no plugin of ours implements yet, and why they exist all the same.
WITHOUT_USER: dict[str, str] = {}


def test_every_hook_has_a_user_in_this_house(pytestconfig):
    root = pytestconfig.rootpath
    sources = [*root.glob("plugins/*/src/*/plugin.py"), root / "core/src/celeriac/plugin/kernel.py"]
    used = set(re.findall(r"^ *def (celeriac_\w+)\(", "\n".join(path.read_text() for path in sources), re.MULTILINE))
    assert used | set(WITHOUT_USER) == set(HOOKS)
    assert not used & set(WITHOUT_USER)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_plugin_is_asked_and_its_answer_arrives(site, hook):
    everything = Everything()
    assert ASKED[hook](with_plugins(site, everything), everything)


@pytest.mark.parametrize("hook", HOOKS)
def test_where_no_plugin_answers_there_is_nothing(site, hook):
    plugins = with_plugins(site)
    try:
        assert not ASKED[hook](plugins, Everything())
    except (LookupError, ImproperlyConfigured):
        return


@pytest.mark.parametrize("hook", ["celeriac_app_created", "celeriac_configured", "celeriac_finalized"])
def test_who_comes_late_is_told_what_has_happened(site, hook):
    everything = Everything()
    plugins = with_plugins(site)
    plugins.ensure_loaded()
    if hook != "celeriac_app_created":
        plugins.hook.tell(hook, app=APP)
    plugins.register(everything)
    assert (hook.rpartition("_")[2], APP) in everything.told


# --- several plugins --------------------------------------------------------------------------------------------------


def test_layers_are_sorted_by_priority_and_keep_the_order_of_the_plugins(site):
    class Layers:
        def __init__(self, *layers):
            self.layers = [Middleware(priority, None, name) for priority, name in layers]

        @hookimpl
        def celeriac_publish_middleware(self):
            return self.layers

    plugins = with_plugins(site, Layers((50, "second"), (10, "outermost")), Layers((50, "first"), (90, "innermost")))
    assert [layer.name for layer in plugins.middlewares("publish")] == ["outermost", "first", "second", "innermost"]


@pytest.mark.parametrize(
    ("hook", "ask", "what"),
    [
        ("celeriac_settings", lambda plugins: plugins.schema(), "setting greeting"),
        ("celeriac_task_options", lambda plugins: plugins.task_options(), "task option tenant"),
        ("celeriac_cli_options", lambda plugins: plugins.cli_options("worker"), "option --greeting of worker"),
    ],
)
def test_what_two_plugins_define_is_a_conflict_that_names_both(site, hook, ask, what):
    for name in ("one", "two"):
        site.install_plugin(
            name,
            """
            import click

            @hookimpl
            def celeriac_settings():
                yield Setting("greeting", str, "hello", "What is said first.")

            @hookimpl
            def celeriac_task_options():
                yield TaskOption("tenant", str, "", "For whom.")

            @hookimpl
            def celeriac_cli_options(command):
                yield click.Option(["--greeting"])
            """,
            version="1.5",
        )
    with pytest.raises(PluginConflict) as raised:
        ask(with_plugins(site))
    assert f"the {what} is " in str(raised.value)
    assert "by celeriac-one 1.5 and by celeriac-two 1.5; uninstall one of them" in str(raised.value)


def test_one_plugin_may_give_an_option_to_two_commands(site):
    class Both:
        @hookimpl
        def celeriac_cli_options(self, command):
            return OPTIONS

    plugins = with_plugins(site, Both())
    assert plugins.cli_options("worker") == plugins.cli_options("beat") == OPTIONS


# --- errors -----------------------------------------------------------------------------------------------------------

RAISING = """
    @hookimpl
    def celeriac_settings():
        {how}

    @hookimpl
    def celeriac_broker(app, scheme):
        {how}

    @hookimpl
    def celeriac_configured(app):
        {how}

    @hookimpl
    def celeriac_report(app):
        {how}
"""


@pytest.mark.parametrize(
    ("hook", "ask"),
    [
        ("celeriac_settings", lambda plugins: plugins.schema()),
        ("celeriac_broker", lambda plugins: plugins.driver("broker", "x")),
        ("celeriac_configured", lambda plugins: plugins.hook.tell("celeriac_configured", app=APP)),
        ("celeriac_broker", lambda plugins: plugins.hook.celeriac_broker(app=APP, scheme="x")),
    ],
)
def test_what_a_plugin_raises_names_the_plugin_and_keeps_the_cause(site, hook, ask):
    site.install_plugin("good", "@hookimpl\ndef celeriac_broker(app, scheme): return None\n")
    site.install_plugin("bad", RAISING.format(how="raise OSError('no disk')"), version="3.1")
    with pytest.raises(PluginError) as raised:
        ask(with_plugins(site))
    assert str(raised.value) == (
        f"celeriac-bad 3.1 failed in the hook {hook}: OSError: no disk. "
        "Upgrade it (pip install --upgrade celeriac-bad) or disable it (CELERIAC_PLUGINS_DISABLE=celeriac-bad)"
    )
    assert isinstance(raised.value.__cause__, OSError)


def test_what_a_generator_raises_half_way_names_its_plugin_too(site):
    site.install_plugin("good", "@hookimpl\ndef celeriac_settings(): yield Setting('a', int, 1, 'A.')\n")
    site.install_plugin(
        "bad",
        "@hookimpl\ndef celeriac_settings():\n    yield Setting('b', int, 1, 'B.')\n    raise OSError('no disk')\n",
    )
    with pytest.raises(PluginError, match=r"celeriac-bad 1\.0 failed in the hook celeriac_settings: OSError"):
        with_plugins(site).schema()


def test_an_answer_that_is_not_iterable_names_its_plugin(site):
    site.install_plugin("bad", "@hookimpl\ndef celeriac_settings(): return 5\n")
    with pytest.raises(PluginError, match=r"celeriac-bad 1\.0 failed in the hook celeriac_settings: TypeError"):
        with_plugins(site).schema()


def test_an_error_of_ours_passes_as_it_is_with_a_note(site):
    how = "from celeriac.exceptions import ImproperlyConfigured; raise ImproperlyConfigured('pick one')"
    site.install_plugin("strict", RAISING.format(how=how))
    with pytest.raises(ImproperlyConfigured, match=r"^pick one") as raised:
        with_plugins(site).hook.tell("celeriac_configured", app=APP)
    assert str(raised.value) == "pick one"
    assert raised.value.__notes__ == ["raised by celeriac-strict 1.0 in the hook celeriac_configured"]


def test_a_report_survives_a_plugin_that_fails(site):
    site.install_plugin("bad", RAISING.format(how="raise OSError('no disk')"))
    site.install_plugin("good", "@hookimpl\ndef celeriac_report(): return {'good': 1}\n")
    report = with_plugins(site).report()
    assert report["good"] == "1"
    assert "OSError: no disk" in report["celeriac-bad"]
    assert next(iter(report)) == "celeriac"


def test_a_hook_that_does_not_exist_cannot_be_asked(site):
    hooks = with_plugins(site).hook
    with pytest.raises(AttributeError):
        hooks.celeriac_of_tomorrow()
