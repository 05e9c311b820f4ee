"""`celeriac plugins`: what a person and a program see."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from celeriac.cli import plugin_check
from celeriac.cli.plugins import plugins
from celeriac.plugin import index, known
from celeriac.plugin.manager import PluginManager

FILES = {
    "celeriac_demo.py": """
from celeriac.contracts import Serializer
from celeriac.exceptions import ProtocolError, SerializationError
from celeriac.plugin import Setting, hookimpl
import json

class Good(Serializer):
    name, content_type, content_encoding = "demo", "application/x-demo", "utf-8"
    def dumps(self, value):
        try:
            return json.dumps(value).encode()
        except TypeError as error:
            raise SerializationError(str(error)) from error
    def loads(self, data):
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(str(error)) from error

class Forgetful(Good):
    def loads(self, data):
        super().loads(data)

@hookimpl
def celeriac_settings():
    yield Setting("demo_speed", int, 1, "How fast it goes.")
""",
    "celeriac_demo-1.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: celeriac-demo\nVersion: 1.5\n",
    "celeriac_demo-1.5.dist-info/entry_points.txt": """
[celeriac.serializers]
demo = celeriac_demo:Good
demonstration = celeriac_demo:Good
forgetful = celeriac_demo:Forgetful
[celeriac.plugins]
demo = celeriac_demo
""",
    "broken_pool.py": "import no_such_client",
    "broken-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: broken\nVersion: 2.0\n",
    "broken-2.0.dist-info/entry_points.txt": "[celeriac.pools]\nbroken = broken_pool:Pool\n",
}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A directory on the path with a working and a broken distribution, besides what is installed here."""
    for name, text in FILES.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    index.forget()
    yield tmp_path / "site"
    index.forget()


@pytest.fixture
def run():
    """Return ``run(*arguments, code=0)``: what the command prints."""

    def call(*arguments, code=0):
        result = CliRunner().invoke(plugins, arguments)
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    return call


# --- list -------------------------------------------------------------------------------------------------------------


def block(output, title):
    """The lines that belong to one distribution, stripped."""
    lines = output.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(title))
    rest = [line.strip() for line in lines[start + 1 :]]
    end = next((number for number, line in enumerate(lines[start + 1 :]) if not line.startswith(" ")), len(rest))
    return [lines[start].split(), *rest[:end]]


def test_every_distribution_is_listed_with_what_it_offers_and_its_state(site, run):
    output = run()
    assert output == run("list")
    title, *lines = block(output, "celeriac-demo")
    assert title == ["celeriac-demo", "1.5", "ready"]
    assert lines == ["serializers demo, demonstration, forgetful", "hooks       settings"]


def test_the_kernel_is_listed_first(site, run):
    title, *lines = block(run(), "celeriac ")
    assert title[0] == "celeriac"
    assert run().startswith("celeriac ")
    assert any(line.startswith("pools") and "solo" in line for line in lines)


def test_a_distribution_that_cannot_be_used_says_why(site, run):
    title, *lines = block(run(), "broken")
    assert title == ["broken", "2.0", "missing", "dependency"]
    assert any(line.startswith("why") and "pip install broken" in line for line in lines)


def test_the_quick_list_imports_no_driver(site, run):
    assert block(run("list", "--quick"), "broken")[0] == ["broken", "2.0", "ready"]


@pytest.mark.parametrize("arguments", [("--json",), ("list", "--json")])
def test_programs_get_json(site, run, arguments):
    found = {entry["distribution"]: entry for entry in json.loads(run(*arguments))}
    demo = found["celeriac-demo"]
    assert demo == {
        "distribution": "celeriac-demo",
        "version": "1.5",
        "state": "ready",
        "ready": True,
        "reason": "",
        "hooks": ["celeriac_settings"],
        "drivers": {"serializer": ["demo", "demonstration", "forgetful"]},
        "location": str(site),
    }
    assert found["broken"]["state"] == "missing dependency"
    assert not found["broken"]["ready"]


def test_an_option_of_the_list_before_another_command_is_refused(run):
    assert "belong behind the command: show --json" in run("--json", "show", "celeriac", code=2)


# --- show -------------------------------------------------------------------------------------------------------------


def test_one_distribution_is_shown_with_entry_points_and_settings(site, run):
    for name in ("celeriac-demo", "demo", "Celeriac_Demo"):
        output = run("show", name)
        assert "celeriac.serializers: demo = celeriac_demo:Good" in output
        assert "demo_speed: How fast it goes." in output
        assert str(site) in output
    shown = json.loads(run("show", "demo", "--json"))
    assert shown["settings"] == {"demo_speed": "How fast it goes."}
    assert "celeriac.plugins: demo = celeriac_demo" in shown["entry_points"]


def test_a_distribution_that_is_not_there_is_an_error_with_the_nearest_spelling(site, run):
    output = run("show", "celeriac-deno", code=1)
    assert "no installed distribution 'celeriac-deno' offers anything. Did you mean 'celeriac-demo'" in output


# --- check ------------------------------------------------------------------------------------------------------------


def test_a_good_driver_passes_its_checks(site, run):
    lines = run("check", "demonstration").splitlines()
    assert lines[0] == "serializer demonstration"
    assert lines[-1].strip().endswith("passed, 0 failed, 0 not claimed")
    assert any(line.split() == ["writes", "bytes", "passed"] for line in lines)


def test_a_bad_driver_fails_by_name_with_the_exit_code(site, run):
    output = run("check", "forgetful", code=1)
    (line,) = [line for line in output.splitlines() if "plain values come back unchanged" in line]
    assert "failed" in line
    assert "True came back as None" in line


def test_all_drivers_of_a_distribution_are_checked_once_each(site, run):
    report = json.loads(run("check", "celeriac-demo", "--json", code=1))
    assert [(checked["kind"], checked["subject"]) for checked in report] == [
        ("serializer", "demo"),
        ("serializer", "forgetful"),
    ]
    assert {test["verdict"] for test in report[0]["tests"]} == {"passed"}
    assert "failed" in {test["verdict"] for test in report[1]["tests"]}


def test_a_kind_narrows_the_check_and_one_that_is_not_there_is_an_error(site, run):
    assert "means no installed driver of kind pool" in run("check", "demo", "--kind", "pool", code=1)
    assert "Did you mean 'forgetful'" in run("check", "forgetfull", code=1)


def test_what_is_not_claimed_is_neither_passed_nor_failed(run):
    report = json.loads(run("check", "solo", "--json"))
    verdicts = {test["test"]: test for test in report[0]["tests"]}
    found = verdicts["a child that ends is reported and replaced"]
    assert (found["verdict"], found["detail"]) == ("not claimed", "it does not claim children")


def test_a_scheduler_is_checked_with_a_place_of_its_own(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (report,) = json.loads(run("check", "persistent", "--only", "knows", "--json"))
    assert (report["kind"], report["subject"]) == ("scheduler", "persistent")
    assert report["totals"]["failed"] == 0
    assert list(tmp_path.glob("*schedule*")) == []


def test_words_narrow_the_check_and_words_of_no_test_are_an_error(site, run):
    (report,) = json.loads(run("check", "demonstration", "--only", "writes", "--json"))
    assert [test["test"] for test in report["tests"]] == ["says what it writes", "writes bytes"]
    assert "no test up to the level core has 'colour' in its name" in run(
        "check", "demonstration", "--only", "colour", "--level", "core", code=1
    )


def test_a_test_that_hangs_can_be_seen(site, monkeypatch):
    # Given somebody who looks at what was printed whenever a test begins
    told = []
    monkeypatch.setattr(plugin_check.click, "echo", lambda text="", nl=True: told.append((text.split(), nl)))

    class Watching(plugin_check.Printing):
        def ended(self, verdict):
            told.append("ended")

    # When a driver is checked
    plugin_check.run_checks(PluginManager(), "demonstration", only="writes", telling=Watching())
    # Then the name of a test is there before it ends
    assert told == [
        (["serializer", "demonstration"], True),
        (["says", "what", "it", "writes"], False),
        "ended",
        (["writes", "bytes"], False),
        "ended",
    ]


def test_what_is_not_installed_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(known._DISTRIBUTIONS["broker"], "nats", "celeriac-nats")
    assert "pip install celeriac-nats" in run("check", "nats://localhost", code=1)


def test_a_broker_that_is_no_transport_says_what_it_must_be(run, site):
    class Wrong:
        """Of the right name."""

    manager = PluginManager()
    manager.register_driver("broker", "wrong", Wrong)
    with pytest.raises(click.ClickException, match="must be a Kombu transport"):
        plugin_check.run_checks(manager, "wrong")


# --- hooks ------------------------------------------------------------------------------------------------------------


def test_the_reference_of_a_hook_is_printed(run, pytestconfig):
    page = (pytestconfig.rootpath / "docs" / "reference" / "hooks.md").read_text()
    assert run("hooks", "broker") in page
    assert run("hooks", "celeriac_broker") == run("hooks", "broker")
    assert page.endswith(run("hooks"))
    assert "Did you mean 'celeriac_broker'" in run("hooks", "celeriac_brokers", code=1)


def test_each_command_says_what_it_is_for(run):
    output = run("--help")
    for command in ("list", "show", "check", "new", "hooks"):
        (line,) = [line for line in output.splitlines() if line.strip().startswith(f"{command} ")]
        assert len(line.split()) > 2
