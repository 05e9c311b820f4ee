"""What the app gets from the plugin."""

from __future__ import annotations

import sys

import pytest

from celeriac.app.base import Celery
from celeriac.contracts import Outcome, OutcomeKind
from celeriac_prometheus.plugin import PrometheusPlugin


@pytest.fixture
def make_app():
    apps = []

    def make(**settings):
        apps.append(Celery("proj", set_as_current=False, **settings))
        return apps[-1]

    yield make
    for app in apps:
        app.close()


def test_without_an_address_nothing_is_measured(make_app):
    app = make_app()
    app.finalize()
    plugin = PrometheusPlugin()
    assert app.conf.prometheus_address is None
    assert list(plugin.celeriac_outcome_listeners(app)) == []
    assert list(plugin.celeriac_worker_services(app)) == []
    assert list(plugin.celeriac_consumer_steps(app)) == []


def test_without_an_address_the_client_library_is_not_even_loaded(spawn):
    program = spawn(
        sys.executable,
        "-c",
        "import sys\n"
        "from celeriac.app.base import Celery\n"
        "app = Celery('proj')\n"
        "app.finalize()\n"
        "assert app.conf.prometheus_address is None\n"
        "app.plugins.outcome_listeners(), app.plugins.worker_services(), app.plugins.consumer_steps()\n"
        "sys.exit('prometheus_client' in sys.modules)",
    )
    assert program.wait() == 0, program.output()


def test_with_an_address_the_outcomes_of_the_apps_tasks_are_counted(make_app):
    app = make_app(prometheus_address="127.0.0.1:0")
    plugin = PrometheusPlugin()
    app.plugins.ensure_loaded()
    app.plugins.unregister("celeriac-prometheus:prometheus")
    app.plugins.register(plugin)

    @app.task(name="proj.add")
    def add():
        pass

    app.finalize()
    for listener in app.plugins.outcome_listeners():
        listener(Outcome(OutcomeKind.FAILURE, "id", "proj.add", "celery"))
        listener(Outcome(OutcomeKind.FAILURE, "id", "not.registered", "celery"))
    registry = plugin._metrics.registry
    assert registry.get_sample_value("celeriac_task_outcomes_total", {"task": "proj.add", "outcome": "failure"}) == 1
    assert registry.get_sample_value("celeriac_task_outcomes_total", {"task": "proj.add", "outcome": "success"}) == 0
    assert registry.get_sample_value("celeriac_task_outcomes_total", {"task": "(unknown)", "outcome": "failure"}) == 1
    assert [service.name for service in app.plugins.worker_services()] == ["prometheus"]
    assert "celeriac_prometheus.Sampling" in {step.name for step in app.plugins.consumer_steps()}


def test_tasks_that_are_known_later_are_counted_by_name_too(make_app):
    app = make_app(prometheus_address="127.0.0.1:0")
    plugin = PrometheusPlugin()
    (listener,) = plugin.celeriac_outcome_listeners(app)

    @app.task(name="proj.add")
    def add():
        pass

    app.finalize()
    plugin.celeriac_finalized(app)
    listener(Outcome(OutcomeKind.SUCCESS, "id", "proj.add", "celery", runtime=0.1))
    value = plugin._metrics.registry.get_sample_value
    assert value("celeriac_task_outcomes_total", {"task": "proj.add", "outcome": "success"}) == 1


def test_the_option_of_the_worker_sets_the_setting(make_app):
    names = {opt: option.name for option in make_app().plugins.cli_options("worker") for opt in option.opts}
    assert names["--metrics-address"] == "prometheus_address"
    assert list(PrometheusPlugin().celeriac_cli_options("inspect")) == []
