"""Revoking what has been sent, from its results."""

from __future__ import annotations

import pytest

from celeriac.results import EagerResult


class Control:
    """Stands where remote control does, and notes what it is asked for."""

    def __init__(self, app):
        self.asked = []

    def revoke(self, task_id, destination=None, terminate=False, signal="SIGTERM", **kwargs):
        self.asked.append((task_id, destination, terminate, signal, kwargs))
        return [{"w@h": {"ok": "noted"}}] if kwargs["reply"] else None

    def revoke_by_stamped_headers(self, headers, destination=None, terminate=False, signal="SIGTERM", **kwargs):
        return self.revoke(headers, destination, terminate, signal, **kwargs)


@pytest.fixture
def app(make_app):
    return make_app(control=Control)


@pytest.mark.covers("result.AsyncResult.revoke")
def test_a_task_is_revoked_by_its_id(app):
    assert app.AsyncResult("i").revoke() is None

    assert app.control.asked == [("i", None, False, "SIGTERM", {"reply": False})]


@pytest.mark.covers("result.AsyncResult.revoke")
def test_what_is_said_of_the_way_is_handed_on(app):
    connection = object()

    replies = app.AsyncResult("i").revoke(connection, terminate=True, signal="SIGUSR1", wait=True, timeout=3)

    assert replies == [{"w@h": {"ok": "noted"}}]
    assert app.control.asked == [
        ("i", None, True, "SIGUSR1", {"reply": True, "connection": connection, "timeout": 3}),
    ]


@pytest.mark.covers("result.AsyncResult.revoke_by_stamped_headers", "result.EagerResult.revoke_by_stamped_headers")
@pytest.mark.parametrize("kind", ["stored", "eager"])
def test_tasks_are_revoked_by_what_they_are_stamped_with(app, kind):
    result = app.AsyncResult("i") if kind == "stored" else EagerResult("i", 1, "SUCCESS")
    result.app = app

    result.revoke_by_stamped_headers({"order": ["5"]}, terminate=True)

    assert app.control.asked == [({"order": ["5"]}, None, True, "SIGTERM", {"reply": False})]


@pytest.mark.covers("result.ResultSet.revoke", "result.GroupResult.revoke")
def test_a_group_is_revoked_in_one_message_with_the_groups_in_it(app):
    inner = app.GroupResult("inner", [app.AsyncResult("b"), app.AsyncResult("c")])

    app.GroupResult("g", [app.AsyncResult("a"), inner]).revoke(terminate=True)

    assert app.control.asked == [(["a", "b", "c"], None, True, "SIGTERM", {"reply": False})]


def test_for_none_no_message_is_sent(app):
    assert app.ResultSet([]).revoke(wait=True) is None
    assert app.control.asked == []


def test_an_eager_result_is_revoked_without_a_message(app):
    result = EagerResult("i", 1, "SUCCESS")
    result.app = app

    result.revoke(terminate=True, wait=True)

    assert result.state == "REVOKED"
    assert app.control.asked == []
