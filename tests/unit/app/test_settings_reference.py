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
