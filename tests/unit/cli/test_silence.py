"""What is said where no worker answers."""

from __future__ import annotations

from kombu.transport import memory

from celeriac import Celery
from celeriac.cli.remote import silence


class Alone(memory.Transport):
    """Cannot send one message to several receivers."""

    implements = memory.Transport.implements.extend(exchange_type=frozenset({"direct"}))


def told(app):
    return str(silence(app))


def test_it_is_asked_whether_a_worker_runs():
    with Celery("silent", broker="memory://", set_as_current=False) as app:
        assert told(app) == "No worker has answered; is one running, on the broker memory://?"


def test_a_broker_by_which_nobody_can_be_asked_is_named_as_the_reason():
    with Celery("silent", broker="alone://", set_as_current=False) as app:
        app.plugins.register_driver("broker", "alone", Alone)
        assert "reaches one receiver only" in told(app)
