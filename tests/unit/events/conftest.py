"""What the tests of events share: events as they come in, and who listens to them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from itertools import count

import pytest

from celeriac.events import Event


@pytest.fixture
def make_event():
    """Return ``make_event(type, **fields)``: an event as a receiver hands it on, each a second after the last."""
    clock = count(1)

    def make(type, **fields):
        now = next(clock)
        given = {"hostname": "w1@host", "pid": 1, "utcoffset": 0, "clock": now, "timestamp": 1_000_000.0 + now}
        return Event(type, {**given, "local_received": given["timestamp"], **fields})

    return make


@pytest.fixture
def listen(wait_until):
    """Return ``listen(app, routing_key="#")``: a context that gives the list of messages (bodies) that have come."""

    @contextmanager
    def start(app, routing_key="#"):
        heard, is_ready = [], threading.Event()

        class Listener(app.events.Receiver):
            def on_consume_ready(self, connection, channel, consumers, **kwargs):
                is_ready.set()

            def on_message(self, message):
                heard.append((message.delivery_info["routing_key"], [event for _, event in self.events_in(message)]))

        with app.connection_for_read() as connection:
            listener = Listener(connection, routing_key=routing_key)
            thread = threading.Thread(target=listener.capture)
            thread.start()
            wait_until(is_ready.is_set, message="the receiver listens")
            try:
                yield heard
            finally:
                listener.should_stop = True
                thread.join(10)
                assert not thread.is_alive()

    return start
