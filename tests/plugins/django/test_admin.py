"""Pages of the admin, asked for as a browser does."""

from __future__ import annotations

import uuid

import pytest

from celeriac import Celery


@pytest.fixture
def app(tables, monkeypatch):
    monkeypatch.setattr(tables, "alias", "default")
    tables.forget_schedules()
    with Celery("admin", broker="memory://", backend="django-db", set_as_current=False) as app:

        @app.task(name="shop.ship")
        def ship():
            pass

        monkeypatch.setattr("celeriac_django.admin.current_app", app)
        yield app


@pytest.fixture
def browser(app):
    from django.contrib.auth.models import User
    from django.test import Client

    browser = Client()
    browser.force_login(User.objects.create_superuser(uuid.uuid4().hex))
    return browser


def test_results_can_be_looked_through_and_not_be_changed(app, browser):
    # Given a failure
    task_id = uuid.uuid4().hex
    app.results.store_state(task_id, "FAILURE", ValueError("no room"), traceback="Traceback: here")

    # Then it is in the list, can be found, and is shown
    pages = "/admin/celeriac/taskresult/"
    assert task_id in browser.get(pages).content.decode()
    assert task_id in browser.get(pages, {"q": "no room", "state__exact": "FAILURE"}).content.decode()
    assert task_id not in browser.get(pages, {"q": "another"}).content.decode()
    page = browser.get(f"{pages}{task_id}/change/").content.decode()
    assert "ValueError: no room" in page
    assert "Traceback: here" in page
    assert browser.get(f"{pages}add/").status_code == 403
    app.backend.delete([task_id])


def scheduled(**columns):
    return {
        "name": "work",
        "task": "shop.ship",
        "enabled": "on",
        "kind": "crontab",
        "timing": "0 4 * * mon-fri",
        "timezone": "",
        "args": "[1]",
        "kwargs": "{}",
        "options": '{"queue": "reports"}',
        "missed": "once",
        "deadline": "",
        "jitter": "0",
        **columns,
    }


def test_a_task_can_be_scheduled_and_run_at_once(app, browser):
    from celeriac_django.models import ScheduledTask

    # When somebody adds it on the page, which offers the names of tasks
    pages = "/admin/celeriac/scheduledtask/"
    assert '<option value="shop.ship">' in browser.get(f"{pages}add/").content.decode()
    assert browser.post(f"{pages}add/", scheduled()).status_code == 302
    row = ScheduledTask.objects.get(name="work")

    # And has it run
    answer = browser.post(pages, {"action": "run_now", "_selected_action": [row.pk]}, follow=True)

    # Then it is sent as its row says
    assert "Work was sent, with the id" in answer.content.decode()
    with app.connection_for_read() as connection:
        message = connection.SimpleQueue("reports").get(timeout=5)
        message.ack()
    assert message.headers["task"] == "shop.ship"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"timing": "61 * * * *"}, "minute"),
        ({"kind": "interval", "timing": "-1"}, "more than 0 seconds"),
        ({"args": "{}"}, "a list, such as"),
        ({"timezone": "Nowhere/Land"}, "no time zone"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(browser, wrong, said):
    page = browser.post("/admin/celeriac/scheduledtask/add/", scheduled(**wrong))
    assert page.status_code == 200
    assert said in page.content.decode()


def test_of_what_the_configuration_says_only_whether_it_runs_can_be_changed(browser):
    from celeriac_django.models import ScheduledTask

    row = ScheduledTask.objects.create(name="configured", task="shop.ship", timing="30", configured=True)
    form = {"name": "other", "timing": "10"}  # and "enabled" is not ticked
    page = browser.post(f"/admin/celeriac/scheduledtask/{row.pk}/change/", form)
    assert page.status_code == 302
    row.refresh_from_db()
    assert (row.name, row.timing, row.enabled) == ("configured", "30", False)
    action = {"action": "enable", "_selected_action": [row.pk]}
    browser.post("/admin/celeriac/scheduledtask/", action)
    row.refresh_from_db()
    assert row.enabled
