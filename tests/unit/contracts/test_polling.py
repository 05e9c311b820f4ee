"""Waiting until descriptors are readable."""

from __future__ import annotations

import select
import socket

import pytest

from celeriac.contracts.polling import reading


@pytest.mark.parametrize("has_poll", [True, False])
def test_what_is_readable_is_told_with_and_without_poll(monkeypatch, has_poll):
    # Given a module as eventlet leaves it
    if not has_poll:
        monkeypatch.delattr(select, "poll")
    ours, theirs = socket.socketpair()
    quiet, other = socket.socketpair()
    with ours, theirs, quiet, other:
        poll = reading(ours.fileno(), quiet.fileno())
        assert poll.poll(0) == []

        theirs.send(b"x")

        assert poll.poll(None) == [(ours.fileno(), 1)]
