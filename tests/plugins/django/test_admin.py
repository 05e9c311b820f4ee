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

        for module in ("schedules", "schedule_form"):
            monkeypatch.setattr(f"celeriac_django.admin.{module}.current_app", app)
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
        "minute": "0",
        "hour": "4",
        "day_of_month": "*",
        "month_of_year": "*",
        "day_of_week": "mon-fri",
        "every": "",
        "unit": "seconds",
        "event": "sunrise",
        "latitude": "",
        "longitude": "",
        "at_0": "",
        "at_1": "",
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
    ("columns", "timing"),
    [
        ({}, "0 4 * * mon-fri"),
        ({"kind": "interval", "every": "2", "unit": "hours"}, "7200"),
        ({"kind": "interval", "every": "0.25"}, "0.25"),
        ({"kind": "solar", "event": "sunset", "latitude": "52.5", "longitude": "-13.25"}, "sunset 52.5 -13.25"),
        ({"kind": "once", "at_0": "2030-01-31", "at_1": "12:00:00"}, "2030-01-31T12:00:00+00:00"),
        (
            {"kind": "once", "at_0": "2030-01-31", "at_1": "12:00:00", "timezone": "Europe/Berlin"},
            "2030-01-31T12:00:00",
        ),
    ],
)
def test_each_kind_has_fields_that_are_shown_again_as_they_were_written(browser, columns, timing):
    from celeriac_django.models import ScheduledTask

    # When a task of that kind is added
    pages = "/admin/celeriac/scheduledtask/"
    form = scheduled(**columns)
    assert browser.post(f"{pages}add/", form).status_code == 302
    row = ScheduledTask.objects.get(name="work")
    assert row.timing == timing

    # Then its page shows what was written, and saving that changes nothing
    shown = browser.get(f"{pages}{row.pk}/change/").context["adminform"].form
    for name in columns.keys() - {"at_0", "at_1"}:
        assert str(shown[name].value()) == columns[name]
    assert browser.post(f"{pages}{row.pk}/change/", form).status_code == 302
    row.refresh_from_db()
    assert row.timing == timing


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"minute": "61"}, "minute", "59"),
        ({"day_of_week": "someday"}, "day_of_week", "someday"),
        ({"hour": ""}, "hour", "0-23"),
        ({"day_of_month": "31", "month_of_year": "2"}, "minute", "this never comes"),
        ({"kind": "interval", "every": "-1"}, "every", "greater than or equal to 0.001"),
        ({"kind": "interval"}, "every", "needed"),
        (
            {"kind": "solar", "event": "sunset", "latitude": "91", "longitude": "0"},
            "latitude",
            "less than or equal to 90",
        ),
        ({"kind": "once", "at_0": "2030-01-31", "at_1": "noon"}, "at", "valid time"),
        ({"args": "{}"}, "args", "a list, such as"),
        ({"timezone": "Nowhere/Land"}, "timezone", "no time zone"),
        ({"jitter": "-1"}, "jitter", "greater than or equal to 0"),
        ({"deadline": "-1"}, "deadline", "greater than or equal to 0"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(browser, wrong, field, said):
    page = browser.post("/admin/celeriac/scheduledtask/add/", scheduled(**wrong))
    assert page.status_code == 200
    errors = page.context["adminform"].form.errors
    assert set(errors) == {field}
    assert said in str(errors[field])


def test_the_next_runs_are_shown_while_somebody_edits(browser):
    pages = "/admin/celeriac/scheduledtask/"
    found = browser.post(f"{pages}preview/", scheduled(minute="30")).json()
    assert len(found["runs"]) == 5
    assert all("04:30:00" in run for run in found["runs"])
    assert not any(day in run for run in found["runs"] for day in ("Sat", "Sun"))
    wrong = browser.post(f"{pages}preview/", scheduled(minute="61")).json()
    assert wrong["runs"] == []
    assert "59" in wrong["wrong"][0]


def test_the_preview_is_for_those_who_may_edit(app):
    from django.contrib.auth.models import User
    from django.test import Client

    nobody = Client()
    nobody.force_login(User.objects.create_user(uuid.uuid4().hex, is_staff=True))
    assert nobody.post("/admin/celeriac/scheduledtask/preview/", scheduled()).status_code == 403


def test_a_task_can_be_saved_and_run_at_once(app, browser):
    answer = browser.post("/admin/celeriac/scheduledtask/add/", scheduled(_run_now="1"), follow=True)
    assert "work was sent, with the id" in answer.content.decode().lower()
    with app.connection_for_read() as connection:
        connection.SimpleQueue("reports").get(timeout=5).ack()


def test_the_list_says_when_tasks_run_and_survives_a_row_that_says_nothing_sensible(browser):
    from celeriac_django.models import ScheduledTask

    ScheduledTask.objects.create(name="hourly", task="shop.ship", timing="3600")
    ScheduledTask.objects.create(name="idle", task="shop.ship", timing="90", enabled=False)
    ScheduledTask.objects.create(name="bad", task="shop.ship", kind="crontab", timing="61 * * * *")
    page = browser.get("/admin/celeriac/scheduledtask/").content.decode()
    assert "every hour" in page
    assert "every 90 seconds" in page
    assert "paused" in page
    assert "never: " in page


def test_of_what_the_configuration_says_only_whether_it_runs_can_be_changed(browser):
    from celeriac_django.models import ScheduledTask

    row = ScheduledTask.objects.create(name="configured", task="shop.ship", timing="30", configured=True)
    form = {"name": "other", "timing": "10"}  # and "enabled" is not ticked
    page = browser.post(f"/admin/celeriac/scheduledtask/{row.pk}/change/", form)
    assert page.status_code == 302
    row.refresh_from_db()
    assert (row.name, row.timing, row.enabled) == ("configured", "30", False)
    action = {"action": "resume", "_selected_action": [row.pk]}
    browser.post("/admin/celeriac/scheduledtask/", action)
    row.refresh_from_db()
    assert row.enabled
