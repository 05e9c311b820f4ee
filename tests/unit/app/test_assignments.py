"""Settings that a command line gives."""

from __future__ import annotations

import pytest

from celeriac.exceptions import ImproperlyConfigured

pytestmark = pytest.mark.covers("app.base.Celery.config_from_cmdline")


@pytest.mark.parametrize(
    ("argument", "setting", "value"),
    [
        ("worker.prefetch_multiplier=3", "worker_prefetch_multiplier", 3),
        ("broker_pool_limit=(int)4", "broker_pool_limit", 4),
        (".task_always_eager=yes", "task_always_eager", True),
        ("task.default.queue=hipri", "task_default_queue", "hipri"),
        ('broker.transport_options={"a": 1}', "broker_transport_options", {"a": 1}),
        ("imports=a,b", "imports", ("a", "b")),
        ("worker.lost_wait=(float)1.5", "worker_lost_wait", 1.5),
        ('task_annotations=(json){"*": {}}', "task_annotations", {"*": {}}),
        ("TASK_ALWAYS_EAGER=(bool)true", "task_always_eager", True),
    ],
)
def test_a_setting_is_given_by_its_name_with_dots_or_underscores(app, argument, setting, value):
    app.config_from_cmdline([argument])
    assert app.conf[setting] == value


def test_a_name_is_also_looked_for_behind_the_namespace(app):
    app.config_from_cmdline(["concurrency=3"], namespace="worker")
    assert app.conf.worker_concurrency == "3"


def test_it_is_stronger_than_the_configuration_object(app):
    app.config_from_object({"task_default_queue": "source"})
    app.config_from_cmdline(["task_default_queue=line"])
    assert app.conf.task_default_queue == "line"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("worker.concurrency", "is no setting: write name=value"),
        ("=3", "is no setting: write name=value"),
        ("worker.concurency=3", "did you mean 'worker_concurrency'"),
        ("broker_pool_limit=(int)four", "'four' is no int"),
        ("broker_pool_limit=(number)4", "the types are str, int, float, bool, json"),
        ("broker_transport_options={", "is no json"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_set(app, argument, message):
    with pytest.raises(ImproperlyConfigured, match=message.replace("(", r"\(")):
        app.config_from_cmdline(["task_always_eager=1", argument])
    assert app.conf.task_always_eager is False
