"""Entry points and registrations for Celery and Kombu count as ours."""

from __future__ import annotations

import json

import pytest
from kombu.serialization import register, unregister

from celeriac import Celery
from celeriac.exceptions import PluginNotFound, SecurityError
from celeriac.plugin.index import scan


@pytest.fixture
def app():
    with Celery("proj", broker="memory://celery-plugin", set_as_current=False) as app:
        yield app


@pytest.fixture
def shouting():
    register("shouting", lambda value: json.dumps(value).upper(), json.loads, "application/x-shouting", "utf-8")
    yield "shouting"
    unregister("shouting")


def distribution(directory, name, entry_points):
    info = directory / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)


EXTENSION = "[celery.commands]\nhello = ext:hello\n[celery.result_backends]\nnowhere = ext:B\n[other]\nx = ext:x\n"


def test_groups_count_as_ours_where_a_distribution_says_so(tmp_path):
    distribution(tmp_path, "ext", EXTENSION)
    assert scan([str(tmp_path)]).providers == ()

    groups = "[celeriac.groups]\ncelery.commands = celeriac.commands\ncelery.result_backends = celeriac.backends\n"
    distribution(tmp_path, "drop-in", groups)
    index = scan([str(tmp_path)])
    assert [offer.name for offer in index.offers("celeriac.commands")] == ["hello"]
    [offer] = index.offers("celeriac.backends")
    assert (offer.name, offer.owner) == ("nowhere", "ext 1.0")
    assert index.offers("celeriac.groups") == index.offers("other") == ()


def test_what_is_registered_with_kombu_is_a_serializer(app, shouting):
    content_type, encoding, data = app.serializers.encode({"a": 1}, shouting)
    assert (content_type, encoding, data) == ("application/x-shouting", "utf-8", b'{"A": 1}')
    with pytest.raises(SecurityError, match="accept_content does not name"):
        app.serializers.decode(data, content_type)


def test_it_is_read_where_accept_content_names_it_or_its_type(shouting):
    for name in (shouting, "application/x-shouting"):
        with Celery("proj", broker="memory://", accept_content=["json", name], set_as_current=False) as app:
            assert app.serializers.decode(b'{"A": 1}', "application/x-shouting") == {"A": 1}


def test_what_nobody_knows_is_not_found(app):
    with pytest.raises(PluginNotFound, match="unheard"):
        app.serializers.get("unheard")


def test_a_bug_report_says_whose_celery_it_is(app):
    assert app.plugins.report()["celery"] == "the API of 5.7.0, by celeriac-celery"


def test_a_suite_that_loads_celerys_fixtures_has_ours(pytester):
    pytester.makeconftest("pytest_plugins = ['celery.contrib.pytest']")
    pytester.makepyfile(
        """
        from celery import shared_task

        @shared_task
        def mul(x, y):
            return x * y

        def test_mul(celery_app, celery_worker):
            assert mul.delay(4, 4).get(timeout=10) == 16
            assert type(celery_worker).__module__.startswith("celeriac.")
        """
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
