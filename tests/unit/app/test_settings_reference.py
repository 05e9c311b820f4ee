"""The reference page says what the table says, and the table leaves out nothing without a reason."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from celeriac import Celery
from celeriac.app.settings import kernel_schema
from celeriac.app.settings.absent import ABSENT
from celeriac.app.settings.reference import render

ROOT = Path(__file__).parents[3]
SURFACE = json.loads((ROOT / "tests" / "data" / "celery-surface.json").read_text())


def test_the_page_of_settings_is_made_from_the_table():
    page = ROOT / "docs" / "reference" / "settings.md"

    assert page.read_text() == render(), "run: python -m celeriac.app.settings.reference > docs/reference/settings.md"


@pytest.mark.parametrize("name", [name for name, *_ in SURFACE["settings"]])
def test_every_setting_of_celery_is_known_or_absent_for_a_reason(name):
    absent = [pattern for names, _ in ABSENT for pattern in re.findall(r"`([^`]+)`", names)]

    assert (name in kernel_schema()) != any(fnmatch(name, pattern) for pattern in absent)


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("BROKER_URL", "broker_url", "memory://"),
        ("CELERY_RESULT_BACKEND", "result_backend", "memory://"),
        ("CELERYD_CONCURRENCY", "worker_concurrency", 3),
        ("CELERY_TASK_SERIALIZER", "task_serializer", "json"),
        ("CELERY_ACKS_LATE", "task_acks_late", True),
        ("CELERYBEAT_SCHEDULE", "beat_schedule", {}),
    ],
)
def test_an_old_name_still_sets_its_setting(old, new, value):
    app = Celery("proj", set_as_current=False)

    app.config_from_object({old: value})

    assert app.conf[new] == value


@pytest.mark.parametrize(
    ("variable", "setting"), [("CELERY_BROKER_URL", "broker_url"), ("CELERY_RESULT_BACKEND", "result_backend")]
)
def test_a_variable_of_the_environment_overrules_the_configuration(monkeypatch, variable, setting):
    monkeypatch.setenv(variable, "memory://from-outside")
    app = Celery("proj", broker="memory://", backend="memory://", set_as_current=False)

    assert app.conf[setting] == "memory://from-outside"


@pytest.mark.covers("settings.broker_transport", "settings.broker_host", "settings.broker_vhost")
def test_a_broker_may_be_named_in_parts(monkeypatch):
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    app = Celery("proj", set_as_current=False, broker_transport="redis", broker_host="localhost:6380", broker_vhost="3")
    app.conf.broker_url = None

    assert app.broker_url() == "redis://localhost:6380/3"


def test_a_configuration_named_after_a_read_is_stronger_than_the_embedded_default():
    app = Celery("proj", set_as_current=False)
    assert app.conf.broker_url.startswith("sqlite:")

    app.config_from_object({"broker_url": "memory://"})

    assert app.conf.broker_url == "memory://"
