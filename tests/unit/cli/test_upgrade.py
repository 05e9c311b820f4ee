"""``celeriac upgrade settings`` on real files."""

from __future__ import annotations

import json

import pytest

OLD = '''\
"""Settings: CELERY_ACKS_LATE in a text stays."""
BROKER_URL = "redis://"  # BROKER_URL stays here
CELERY_ACKS_LATE = True
CELERYD_PREFETCH_MULTIPLIER = CELERYD_CONCURRENCY = 4
OTHER = 1
app.conf.update(CELERY_ROUTES={}, **{"CELERY_TIMEZONE": "UTC"})
'''
NEW = '''\
"""Settings: CELERY_ACKS_LATE in a text stays."""
broker_url = "redis://"  # BROKER_URL stays here
task_acks_late = True
worker_prefetch_multiplier = worker_concurrency = 4
OTHER = 1
app.conf.update(task_routes={}, **{"timezone": "UTC"})
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "celeryconfig.py"
    path.write_text(OLD)
    return path


@pytest.mark.covers("cli.upgrade", "cli.upgrade settings", "cli.upgrade settings.filename")
def test_old_names_are_rewritten_and_the_file_is_kept(celeriac, file):
    code, output, errors = celeriac("upgrade", "settings", str(file))

    assert code == 0, errors
    assert file.read_text() == NEW
    assert file.with_suffix(".py.old").read_text() == OLD
    assert output.splitlines()[0] == f"{file}:2: BROKER_URL -> broker_url"
    assert output.splitlines()[-1] == f"6 names changed; the file as it was is {file}.old"
    # And there is nothing left to do
    assert celeriac("upgrade", "settings", str(file))[1] == "0 names changed\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('BROKER_URL = environ["BROKER_URL"]  # é', 'broker_url = environ["BROKER_URL"]  # é'),
        (
            'BROKER_URL = os.environ.get("BROKER_URL", "redis://")',
            'broker_url = os.environ.get("BROKER_URL", "redis://")',
        ),
        ('CELERY_ROUTES = {"t": {"queue": "CELERY_ROUTES"}}', 'task_routes = {"t": {"queue": "CELERY_ROUTES"}}'),
        ('é = "é"; app.conf["BROKER_URL"] = é', 'é = "é"; app.conf["broker_url"] = é'),
        ("app.conf.BROKER_URL = other.BROKER_URL", "app.conf.broker_url = other.BROKER_URL"),
        ("from other import BROKER_URL\nurl = BROKER_URL", "from other import BROKER_URL\nurl = BROKER_URL"),
        (
            "BROKER_URL = 1\nurl = f'{BROKER_URL!r:>{BROKER_URL}} {{BROKER_URL}}'",
            "broker_url = 1\nurl = f'{broker_url!r:>{broker_url}} {{BROKER_URL}}'",
        ),
        (
            "def change():\n\tglobal BROKER_URL\n\tBROKER_URL = 1",
            "def change():\n\tglobal broker_url\n\tbroker_url = 1",
        ),
        ("def connect(BROKER_URL):\n    return BROKER_URL", "def connect(BROKER_URL):\n    return BROKER_URL"),
        ("class Config:\r\n    BROKER_URL   =(1,\r\n  2)", "class Config:\r\n    broker_url   =(1,\r\n  2)"),
    ],
)
def test_what_is_no_name_of_a_setting_stays(celeriac, tmp_path, old, new):
    path = tmp_path / "celeryconfig.py"
    path.write_bytes(old.encode())
    assert celeriac("upgrade", "settings", str(path))[0] == 0
    assert path.read_bytes().decode() == new


@pytest.mark.covers(
    "cli.upgrade settings.--django", "cli.upgrade settings.--compat", "cli.upgrade settings.--no-backup"
)
@pytest.mark.parametrize("option", ["--django", "--compat"])
def test_a_django_project_has_names_of_one_form(celeriac, file, option):
    code, output, _ = celeriac("upgrade", "settings", str(file), option, "--no-backup", "--json")

    assert code == 0
    assert file.read_text() == NEW.replace("broker_url", "CELERY_BROKER_URL").replace(
        "task_acks_late", "CELERY_TASK_ACKS_LATE"
    ).replace("worker_prefetch_multiplier", "CELERY_WORKER_PREFETCH_MULTIPLIER").replace(
        "worker_concurrency", "CELERY_WORKER_CONCURRENCY"
    ).replace("task_routes", "CELERY_TASK_ROUTES").replace('"timezone"', '"CELERY_TIMEZONE"')
    assert json.loads(output)["backup"] is None
    assert not file.with_suffix(".py.old").exists()


def test_a_file_that_is_no_python_stays_as_it_is(celeriac, tmp_path):
    path = tmp_path / "x.py"
    path.write_text("CELERY_ACKS_LATE = (")

    code, _, errors = celeriac("upgrade", "settings", str(path))

    assert code == 1
    assert "cannot be read as Python" in errors
    assert path.read_text() == "CELERY_ACKS_LATE = ("
