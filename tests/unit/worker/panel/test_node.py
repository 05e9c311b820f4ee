"""Messages of remote control that are not what they should be, and answers that cannot be sent."""

from __future__ import annotations

import logging

import pytest
from kombu.pidbox import Mailbox

from celeriac.worker.panel.node import PanelNode


@pytest.fixture
def node():
    """A node whose answers are noted, and which obeys three commands."""
    handlers = {
        "ping": lambda state, **arguments: {"ok": arguments},
        "refuse": lambda state: (_ for _ in ()).throw(ValueError("not so")),
        "break": lambda state: 1 / 0,
    }
    mailbox = Mailbox("test")
    node = PanelNode("one@host", None, None, handlers, mailbox=mailbox)
    node.replies = []
    node.reply = lambda data, exchange, routing_key, ticket: node.replies.append((data, exchange, routing_key, ticket))
    return node


REPLY_TO = {"exchange": "reply.test.pidbox", "routing_key": "oid"}


def test_a_command_is_obeyed_and_answered(node):
    body = {"method": "ping", "arguments": {"a": 1}, "destination": None, "pattern": None, "matcher": None}
    node.handle_message({**body, "reply_to": REPLY_TO, "ticket": "t"})
    assert node.replies == [({"one@host": {"ok": {"a": 1}}}, "reply.test.pidbox", "oid", "t")]
    assert node.handle_message(body) == {"ok": {"a": 1}}
    assert len(node.replies) == 1  # nobody has asked for that answer


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "ping",
        {},
        {"method": 1},
        {"method": ["ping"]},
        {"method": "ping", "arguments": [1]},
        {"method": "ping", "arguments": {1: 2}},
        {"method": "ping", "reply_to": "me"},
        {"method": "ping", "reply_to": {"exchange": 1, "routing_key": "x"}},
        {"method": "ping", "destination": 7},
        {"method": "ping", "pattern": 7, "matcher": "glob"},
    ],
)
def test_a_message_of_another_shape_is_dropped_and_told_of(node, body, caplog):
    assert node.handle_message(body) is None
    assert "A message of remote control is none, and is dropped" in caplog.text


def test_an_unknown_command_is_told_of_and_answered_with_an_error(node, caplog):
    node.handle_message({"method": "fly", "reply_to": REPLY_TO})
    assert "No such control command: 'fly'" in caplog.text
    assert [answer for answer, *_ in node.replies] == [{"one@host": {"error": "no such control command: 'fly'"}}]


def test_an_unknown_command_that_asks_for_no_answer_gets_none(node):
    node.handle_message({"method": "fly"})
    assert node.replies == []


@pytest.mark.parametrize("method", ["__class__", "handle", "reply"])
def test_only_commands_can_be_called(node, method):
    assert node.handle_message({"method": method}) == {"error": f"no such control command: '{method}'"}


@pytest.mark.parametrize(
    ("meant", "is_obeyed"),
    [
        ({"destination": ["one@host"]}, True),
        ({"destination": ["two@host"]}, False),
        ({"destination": [], "pattern": "two*", "matcher": "glob"}, False),
        ({"pattern": "o*", "matcher": "glob"}, True),
        ({"pattern": "t.*", "matcher": "pcre"}, False),
        ({"pattern": "t.*", "matcher": None}, True),  # as Celery has it: how to match is not said
        ({"destination": ["one@host"], "pattern": "two*", "matcher": "glob"}, True),
    ],
)
def test_a_command_is_for_its_destination_or_whom_its_pattern_fits(node, meant, is_obeyed):
    found = node.handle_message({"method": "ping", **meant})
    assert (found is not None) is is_obeyed


def test_a_matcher_that_is_not_installed_is_told_of(node, caplog):
    assert node.handle_message({"method": "ping", "pattern": "x", "matcher": "telepathy"}) is None
    assert "telepathy" in caplog.text


def test_an_error_is_the_answer_and_the_node_goes_on(node, caplog):
    with caplog.at_level(logging.ERROR):
        node.handle_message({"method": "refuse", "reply_to": REPLY_TO, "ticket": "t"})
        node.handle_message({"method": "break", "reply_to": REPLY_TO, "ticket": "t"})
        node.handle_message({"method": "ping", "arguments": {"state": 1}, "reply_to": REPLY_TO, "ticket": "t"})
    answers = [data["one@host"]["error"] for data, *_ in node.replies]
    assert answers[:2] == ["ValueError('not so')", "ZeroDivisionError('division by zero')"]
    assert "multiple values" in answers[2]
    refused, broken, _ = caplog.records
    assert refused.exc_info is None or not refused.exc_info
    assert broken.exc_info


def test_the_clock_moves_on_with_each_command(node):
    from types import SimpleNamespace

    node.handle_message({"method": "ping"}, SimpleNamespace(headers={"clock": 100}))
    assert node.mailbox.clock.value > 100
    for headers in (None, {}, {"clock": "soon"}):
        node.handle_message({"method": "ping"}, SimpleNamespace(headers=headers))
