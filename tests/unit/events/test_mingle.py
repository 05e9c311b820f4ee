"""What a worker learns from others before it takes its first task; real workers on a broker in memory."""

from __future__ import annotations

import time

import pytest
from kombu.pidbox import Node

from celeriac.app.mailbox import mailbox_of
from celeriac.worker.consumer.mingle import Inquiry


@pytest.fixture
def neighbour(app):
    """Return ``neighbour(name, answer)``: somebody who answers ``hello``, as workers of any make do."""
    connection = app.connection_for_read()
    nodes = []

    def listen(name, answer):
        mailbox = mailbox_of(app)(connection)
        node = Node(name, channel=connection.channel(), mailbox=mailbox)
        node.asked = []

        def hello(state, from_node, revoked=None, **_):
            node.asked.append((from_node, revoked))
            return answer(node) if callable(answer) else answer

        node.handlers = {"hello": hello}
        node.consumer = node.listen()
        nodes.append(node)
        return node

    yield listen
    connection.release()


def test_a_worker_learns_what_others_have_revoked_and_how_late_it_is(app, make_app, start_worker):
    # Given a worker that knows of revoked tasks
    first = start_worker(app, hostname="first@host")
    first.consumer.state.revocations.add_ids(["gone"])
    app.clock.adjust(5_000)
    # When another one starts
    other = make_app()
    second = start_worker(other, hostname="second@host")
    # Then it knows of them, and is ahead of the clock
    assert "gone" in second.consumer.state.revocations.ids
    assert other.clock.value > 5_000


def test_the_others_learn_what_the_new_one_knows(app, make_app, start_worker, wait_until, tmp_path):
    first = start_worker(app, hostname="first@host")
    answers = Inquiry(make_app(), "new@host", ["known-to-me"]).answers()
    assert list(answers) == ["first@host"]
    wait_until(lambda: "known-to-me" in first.consumer.state.revocations.ids)


def test_a_worker_that_is_alone_waits_for_nobody(app):
    before = time.monotonic()
    assert Inquiry(app, "me@host", []).answers() == {}
    assert time.monotonic() - before < 0.5


def test_for_one_who_does_not_answer_a_worker_waits_a_second(app, neighbour):
    neighbour("silent@host", {})
    before = time.monotonic()
    assert Inquiry(app, "me@host", []).answers() == {}
    assert 0.9 < time.monotonic() - before < 5


def test_a_worker_that_is_asked_not_to_asks_nobody(app, make_app, start_worker):
    first = start_worker(app, hostname="first@host")
    first.consumer.state.revocations.add_ids(["gone"])
    second = start_worker(make_app(), hostname="second@host", without_mingle=True)
    assert "gone" not in second.consumer.state.revocations.ids


@pytest.mark.parametrize(
    ("answer", "learned"),
    [
        ({"clock": 7, "revoked": {"a": [1.5, "a"], "b": [2.5, "b"]}}, {"a", "b"}),
        ({"clock": 7, "revoked": ["a"]}, {"a"}),
        ({"clock": 2**80, "revoked": [7, None, "a"]}, {"a"}),
        ({"clock": "late", "revoked": 7}, set()),
        ({}, set()),
        ("nonsense", set()),
        (None, set()),
    ],
)
def test_whatever_others_answer_the_worker_starts(app, make_app, start_worker, monkeypatch, answer, learned):
    monkeypatch.setattr(Inquiry, "answers", lambda self: {"other@host": answer})
    worker = start_worker(app, hostname="me@host")
    assert set(worker.consumer.state.revocations.ids) == learned
    assert app.clock.value < 2**53


def test_a_worker_that_can_ask_nobody_starts_all_the_same(app, start_worker, monkeypatch, caplog):
    def broken(self):
        raise OSError("the line is dead")

    monkeypatch.setattr(Inquiry, "answers", broken)
    assert start_worker(app).consumer.is_claiming
    assert "Other workers could not be asked what they know: OSError: the line is dead" in caplog.text
