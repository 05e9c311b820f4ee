"""How settings say where the broker is, and by which way it is reached; with real servers."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from kombu.exceptions import OperationalError

from celeriac import Celery

KOMBUS = "kombu.transport.pyamqp:Transport"
#: Nobody listens there.
NOWHERE = "amqp://guest:guest@127.0.0.1:1//"


@pytest.fixture
def rabbitmq_app(rabbitmq_url):
    """Return ``rabbitmq_app(**settings)``: an app on RabbitMQ."""
    made = []

    def make(**settings):
        settings.setdefault("broker_url", rabbitmq_url)
        app = Celery("proj", set_as_current=False, broker_transport=KOMBUS, **settings)
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


@pytest.mark.covers("settings.broker_port", "settings.broker_host", "settings.broker_user", "settings.broker_password")
def test_a_broker_may_be_named_in_parts(rabbitmq_app, rabbitmq_url):
    parts = urlsplit(rabbitmq_url)
    app = rabbitmq_app(
        broker_url=None,
        broker_host=parts.hostname,
        broker_port=parts.port or 5672,
        broker_user=parts.username,
        broker_password=parts.password,
        broker_vhost="/",
    )
    with app.connection_for_write() as connection:
        assert connection.connect().connected
    app.conf.broker_port = 1
    with app.connection_for_write() as connection, pytest.raises(ConnectionRefusedError):
        connection.connect()


@pytest.mark.covers("settings.broker_login_method")
def test_the_mechanism_of_authentication_is_the_one_that_is_set(rabbitmq_app):
    for method in ("PLAIN", "AMQPLAIN"):
        with rabbitmq_app(broker_login_method=method).connection_for_read() as connection:
            assert connection.connect().connected
            assert connection.connection.authentication[0].mechanism == method.encode()


@pytest.mark.covers("settings.broker_failover_strategy")
@pytest.mark.parametrize("strategy", [None, "round-robin", "shuffle", "own"])
def test_where_one_broker_is_away_the_next_is_the_one_that_the_strategy_says(rabbitmq_app, rabbitmq_url, strategy):
    asked = []

    def own(urls):
        asked.append(list(urls))
        while True:
            yield rabbitmq_url

    settings = {} if strategy is None else {"broker_failover_strategy": own if strategy == "own" else strategy}
    app = rabbitmq_app(broker_url=[NOWHERE, rabbitmq_url], **settings)
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=4, interval_start=0, interval_step=0)
        assert connection.connected
    assert bool(asked) is (strategy == "own")


def test_a_connection_keeps_the_transport_of_its_plugin_when_it_fails_over_and_when_it_is_copied(
    rabbitmq_app, rabbitmq_url
):
    # Given an app whose transport is a plugin's
    app = rabbitmq_app(broker_url=[NOWHERE, rabbitmq_url])
    with app.connection_for_write() as connection:
        # When the first broker is away
        connection.ensure_connection(max_retries=4, interval_start=0, interval_step=0)

        # Then the next one is reached in the same way, and so it is by a copy
        assert isinstance(connection.transport, app.broker_transport)
        with connection.clone() as copy:
            assert isinstance(copy.transport, app.broker_transport)
            assert copy.app is app


def test_a_list_of_brokers_that_are_all_away_is_an_error(rabbitmq_app):
    app = rabbitmq_app(broker_url=[NOWHERE, NOWHERE], task_publish_retry=False)
    with pytest.raises(OperationalError, match="refused"):
        app.send_task("never")
