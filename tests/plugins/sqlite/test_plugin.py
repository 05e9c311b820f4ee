"""With nothing configured the embedded file is broker and result store, and everybody is told where it is."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from celeriac import Celery
from celeriac.exceptions import ImproperlyConfigured
from celeriac_sqlite import embedded
from celeriac_sqlite.place import url_of
from celeriac_sqlite.plugin import celeriac_report


def new_app(**given):
    return Celery("proj", set_as_current=False, **given)


def test_an_app_without_a_broker_gets_the_embedded_file(celeriac_home):
    app = new_app()
    assert app.conf.broker_url == url_of(celeriac_home / "proj.db")
    assert app.conf.result_backend == app.conf.broker_url
    assert embedded.is_default(app)
    assert not celeriac_home.exists()  # configuring makes no files


@pytest.mark.parametrize(
    "given", [{"broker": "memory://"}, {"broker_read_url": "memory://"}, {"broker_transport": "memory"}]
)
def test_a_broker_that_is_configured_stays(given):
    app = new_app(**given)
    assert not embedded.is_default(app)
    assert app.conf.result_backend is None


def test_a_result_store_that_is_configured_stays(celeriac_home):
    app = new_app(backend="disabled")
    assert app.conf.broker_url == url_of(celeriac_home / "proj.db")
    assert app.conf.result_backend == "disabled"


def test_the_first_publishing_says_where_the_tasks_go_and_only_that(celeriac_home, caplog, monkeypatch):
    monkeypatch.setattr(embedded, "_announced", set())
    with caplog.at_level(logging.INFO, "celeriac.sqlite"):
        for app in (new_app(), new_app()):
            for _ in range(2):
                app.send_task("tasks.add", (1, 2))
            app.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"no broker is configured: tasks go to the embedded queue in {celeriac_home / 'proj.db'}"
    ]
    assert celeriac_home.stat().st_mode & 0o777 == 0o700


def test_a_file_that_was_asked_for_is_not_announced(url, caplog, monkeypatch):
    monkeypatch.setattr(embedded, "_announced", set())
    with caplog.at_level(logging.INFO, "celeriac.sqlite"):
        app = new_app(broker=url)
        app.send_task("tasks.add", (1, 2))
        app.close()
    assert caplog.records == []


def test_settings_reach_the_lanes(url):
    from celeriac_sqlite.broker import SqliteTransport

    app = new_app(broker=url, sqlite_lease=90, sqlite_durability="power")
    lane = SqliteTransport.producer_lane(app.connection_for_write())
    assert lane._database.rows("PRAGMA synchronous") == [(2,)]
    lane.close()
    assert SqliteTransport.consumer_lane(app.connection_for_read()).renew_interval == 30


def test_transport_options_go_before_settings(url):
    from celeriac_sqlite.broker import SqliteTransport

    app = new_app(broker=url, sqlite_lease=90, broker_transport_options={"lease": 30})
    assert SqliteTransport.consumer_lane(app.connection_for_read()).renew_interval == 10


@pytest.mark.parametrize("given", [{"sqlite_durability": "none"}, {"sqlite_lease": 0}, {"sqlite_busy_timeout": "soon"}])
def test_wrong_settings_are_refused(url, given):
    from celeriac_sqlite.broker import SqliteTransport

    with pytest.raises(ImproperlyConfigured, match=next(iter(given))):
        SqliteTransport.producer_lane(new_app(broker=url, **given).connection_for_write())


def test_the_report_names_the_file_and_what_is_in_it(celeriac_home):
    app = new_app()
    assert celeriac_report(app)["sqlite queue"] == f"{celeriac_home / 'proj.db'}, not there yet (the embedded default)"
    assert not celeriac_home.exists()
    app.send_task("tasks.add", (1, 2))
    app.send_task("tasks.add", (1, 2), countdown=60)
    app.close()
    assert "1 messages ready, 1 held back, 0 claimed, 0 results" in celeriac_report(app)["sqlite queue"]


def test_a_call_that_is_to_be_published_once_is_one_message_until_its_id_is_forgotten(url, monkeypatch):
    from celeriac_sqlite import publisher

    app = new_app(broker=url)
    for _ in range(2):
        app.send_task("tasks.add", task_id="nightly", publish_once=True)
        app.send_task("tasks.add", publish_once=True)
    assert "3 messages ready" in celeriac_report(app)["sqlite queue"]
    monkeypatch.setattr(publisher, "ONCE_SECONDS", -1.0)  # as if it had been long ago
    app.send_task("tasks.add", task_id="weekly", publish_once=True)
    app.send_task("tasks.add", task_id="weekly", publish_once=True)
    app.close()
    assert "5 messages ready" in celeriac_report(app)["sqlite queue"]


def test_the_hooks_load_neither_sqlite_nor_kombu():
    script = "import sys, celeriac_sqlite.plugin; print({'sqlite3', 'kombu', 'logging'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
