"""A broker that fails when it is told to."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kombu.transport import memory, virtual


@pytest.fixture
def broker():
    """A transport without lanes of its own; `failures` are raised one by one, None lets a message pass."""

    class Channel(memory.Channel):
        queues = {}  # noqa: RUF012  # of this test alone
        failures = []  # noqa: RUF012  # as above
        tries = []  # noqa: RUF012  # as above

        def basic_publish(self, message, exchange, routing_key, **kwargs):
            self.tries.append(message)
            if self.failures and (error := self.failures.pop(0)) is not None:
                raise error
            super().basic_publish(message, exchange, routing_key, **kwargs)

    class Transport(memory.Transport):
        Channel = None
        global_state = virtual.BrokerState()
        connection_errors = (ConnectionResetError,)
        opened = []  # noqa: RUF012  # as above

        def establish_connection(self):
            self.opened.append(self)
            return super().establish_connection()

    Transport.Channel = Channel
    return SimpleNamespace(
        transport=Transport,
        failures=Channel.failures,
        tries=lambda: len(Channel.tries),
        connections=lambda: len(Transport.opened),
    )


@pytest.fixture
def flaky(make_app, broker):
    """Return ``flaky(**settings)``: an app on that broker, which does not sleep between tries."""

    def make(**settings):
        quick = {"max_retries": 3, "interval_start": 0, "interval_step": 0}
        settings = {"task_publish_retry_policy": quick, **settings}
        app = make_app(broker="flaky://user:hunter2@host//", **settings)
        app.plugins.register_driver("broker", "flaky", broker.transport)
        return app

    return make
