"""Revoking what has been sent, from its results: what reaches a worker, and what comes back."""

from __future__ import annotations

import threading

import pytest

from celeriac.results import EagerResult


class Node:
    """A node of remote control that notes what it is told, and answers; it runs nothing."""

    name = "listening@host"

    def __init__(self, app):
        self._app = app
        self._ended = threading.Event()
        self._ready = threading.Event()
        #: (command, arguments) in the order of their arrival.
        self.told = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(10)

    def _note(self, command):
        def note(state, **arguments):
            self.told.append((command, arguments))
            return {"ok": "noted"}

        note.__name__ = command
        return note

    def _run(self):
        with self._app.connection_for_read() as connection:
            handlers = {name: self._note(name) for name in ("revoke", "revoke_by_stamped_headers")}
            node = self._app.control.mailbox.Node(self.name, channel=connection.default_channel, handlers=handlers)
            with node.listen(callback=node.handle_message):
                self._ready.set()
                while not self._ended.is_set():
                    try:
                        connection.drain_events(timeout=0.05)
                    except TimeoutError:
                        continue

    def close(self):
        self._ended.set()
        self._thread.join(10)


@pytest.fixture
def node(app):
    node = Node(app)
    yield node
    node.close()


@pytest.fixture
def heard(node, wait_until):
    """Return ``heard()``: the one command that has come."""

    def one():
        wait_until(lambda: node.told, message="the command has come")
        [told] = node.told
        return told

    return one


@pytest.mark.covers("result.AsyncResult.revoke")
def test_a_task_is_revoked_by_its_id(app, heard):
    assert app.AsyncResult("i").revoke() is None

    assert heard() == ("revoke", {"task_id": "i", "terminate": False, "signal": "SIGTERM"})


@pytest.mark.covers("result.AsyncResult.revoke")
def test_it_may_be_ended_by_a_signal_and_the_replies_waited_for(app, heard):
    replies = app.AsyncResult("i").revoke(terminate=True, signal="SIGUSR1", wait=True, timeout=0.5)

    assert replies == [{Node.name: {"ok": "noted"}}]
    assert heard() == ("revoke", {"task_id": "i", "terminate": True, "signal": "SIGUSR1"})


@pytest.mark.covers("result.AsyncResult.revoke")
def test_a_connection_may_be_given(app, heard):
    with app.connection_for_write() as connection:
        app.AsyncResult("i").revoke(connection)

    assert heard()[0] == "revoke"


@pytest.mark.covers("result.AsyncResult.revoke_by_stamped_headers", "result.EagerResult.revoke_by_stamped_headers")
@pytest.mark.parametrize("kind", ["stored", "eager"])
def test_tasks_are_revoked_by_what_they_are_stamped_with(app, heard, kind):
    result = app.AsyncResult("i") if kind == "stored" else EagerResult("i", 1, "SUCCESS")
    result.app = app

    result.revoke_by_stamped_headers({"order": ["5"]}, terminate=True)

    command, arguments = heard()
    assert command == "revoke_by_stamped_headers"
    assert arguments == {"headers": {"order": ["5"]}, "terminate": True, "signal": "SIGTERM"}


@pytest.mark.covers("result.ResultSet.revoke", "result.GroupResult.revoke")
def test_a_group_is_revoked_in_one_message_with_the_groups_in_it(app, node):
    inner = app.GroupResult("inner", [app.AsyncResult("b"), app.AsyncResult("c")])

    replies = app.GroupResult("g", [app.AsyncResult("a"), inner]).revoke(wait=True, timeout=0.5)

    assert replies == [{Node.name: {"ok": "noted"}}]
    assert node.told == [("revoke", {"task_id": ["a", "b", "c"], "terminate": False, "signal": "SIGTERM"})]


def test_without_members_and_without_a_message_to_stop_nothing_is_sent(app, node):
    eager = EagerResult("i", 1, "SUCCESS")
    eager.app = app

    assert app.ResultSet([]).revoke(wait=True) is None
    assert eager.revoke(terminate=True, wait=True) is None

    assert eager.state == "REVOKED"
    app.AsyncResult("last").revoke(wait=True, timeout=0.5)
    assert [arguments["task_id"] for _, arguments in node.told] == ["last"]
