"""``before_task_publish`` and ``after_task_publish``: what they are told, and what they may change."""

from __future__ import annotations

import json

import pytest

from celeriac import signals
from celeriac.exceptions import SerializationError


@pytest.fixture
def listen():
    """Return ``listen(signal, receiver, **options)``: connected until the test ends."""
    connected = []

    def connect(signal, receiver, **options):
        signal.connect(receiver, weak=False, **options)
        connected.append((signal, receiver, options.get("sender")))

    yield connect
    for signal, receiver, sender in connected:
        assert signal.disconnect(receiver, sender=sender)


@pytest.mark.parametrize("protocol", [2, 1])
def test_receivers_are_told_everything_about_the_message(make_app, listen, protocol):
    app = make_app(task_protocol=protocol)
    told = []
    listen(signals.before_task_publish, lambda **named: told.append(named))
    listen(signals.after_task_publish, lambda **named: told.append(named))
    result = app.send_task("t", (1,), {"y": 2}, queue="q", retry_policy={"max_retries": 9})
    before, after = told
    assert before["sender"] == after["sender"] == "t"
    assert before["signal"] is signals.before_task_publish
    assert [queue.name for queue in before["declare"]] == ["q"]
    for named in told:
        body = named["body"]
        assert (
            (body[0], body[1]) == ([1], {"y": 2}) if protocol == 2 else (body["args"], body["id"]) == ([1], result.id)
        )
        assert (named["exchange"], named["routing_key"]) == ("", "q")
        assert named["headers"].get("id") == (result.id if protocol == 2 else None)
        assert named["properties"]["correlation_id"] == result.id
        assert named["retry_policy"] == {
            "max_retries": 9,
            "interval_start": 0,
            "interval_max": 1,
            "interval_step": 0.2,
        }


def test_what_is_changed_before_is_what_is_sent(app, listen, claim):
    def change(body, headers, properties, **_):
        headers["tenant"] = "acme"
        properties["priority"] = 9
        body[0].append("added")

    listen(signals.before_task_publish, change)
    app.send_task("t", ("given",))
    [message] = claim(app)
    assert message.headers["tenant"] == "acme"
    assert message.properties["priority"] == 9
    assert json.loads(message.body)[0] == ["given", "added"]


def test_only_the_sender_that_was_asked_for_is_heard(app, listen):
    told = []
    listen(signals.before_task_publish, lambda sender, **_: told.append(sender), sender="wanted")
    app.send_task("other")
    app.send_task("wanted")
    assert told == ["wanted"]


def test_after_is_not_told_of_a_message_that_was_not_sent(app, listen):
    told = []
    listen(signals.after_task_publish, lambda sender, **_: told.append(sender))
    with pytest.raises(SerializationError):
        app.send_task("t", (object(),))
    assert told == []


def test_an_error_of_a_receiver_is_logged_and_the_message_is_sent(app, listen, claim, caplog):
    def broken(**_):
        raise LookupError("receiver")

    listen(signals.before_task_publish, broken)
    app.send_task("t")
    assert len(claim(app)) == 1
    assert "raised" in caplog.text
    assert "LookupError: receiver" in caplog.text


def test_a_retry_policy_that_is_off_is_none(app, listen):
    told = []
    listen(signals.before_task_publish, lambda retry_policy, **_: told.append(retry_policy))
    app.send_task("t", retry=False)
    assert told == [None]
