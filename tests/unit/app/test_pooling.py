"""Connections and producers of Kombu's that an app keeps, lends and closes; and what a forked child has of them."""

from __future__ import annotations

import os
import threading

import pytest
from kombu import Queue
from kombu.exceptions import LimitExceeded

from celeriac import Celery


@pytest.mark.covers("app.base.Celery.pool", "app.base.Celery.connection_or_acquire", "settings.broker_pool_limit")
def test_a_connection_goes_back_to_the_pool_and_is_lent_again(make_app):
    app = make_app(broker_pool_limit=1)
    with app.connection_or_acquire() as first:
        channel = first.default_channel
    with app.connection_or_acquire() as second:
        assert second is first
        assert second.default_channel is channel


@pytest.mark.covers("settings.broker_pool_acquire_timeout")
def test_a_pool_that_is_lent_out_is_waited_for_as_long_as_the_setting_says(make_app):
    app = make_app(broker_pool_limit=1, broker_pool_acquire_timeout=0.05)
    with app.connection_or_acquire(), pytest.raises(LimitExceeded), app.connection_or_acquire():
        pass


def test_who_waits_for_a_connection_gets_it_when_it_comes_back(make_app):
    app = make_app(broker_pool_limit=1)
    got = threading.Event()

    def take():
        with app.connection_or_acquire():
            got.set()

    with app.connection_or_acquire():
        thread = threading.Thread(target=take)
        thread.start()
        assert not got.wait(0.05)
    assert got.wait(10)
    thread.join(10)


@pytest.mark.parametrize("limit", [0, None])
def test_without_a_limit_a_connection_is_closed_after_its_use(make_app, limit):
    app = make_app(broker_pool_limit=limit)
    with app.connection_or_acquire() as first:
        first.connect()
    with app.connection_or_acquire() as second:
        assert second is not first


@pytest.mark.covers("app.base.Celery.default_connection", "app.base.Celery.default_producer")
def test_a_connection_or_producer_of_the_callers_is_handed_through(make_app):
    app = make_app()
    with app.connection_for_write() as own:
        with app.connection_or_acquire(own) as lent:
            assert lent is own
        with app.default_connection(own) as lent:
            assert lent is own
        assert own.connected or own.connection
    with app.default_producer("mine") as lent:
        assert lent == "mine"


def test_without_the_pool_a_connection_is_new_each_time(make_app):
    app = make_app(broker_pool_limit=1)
    with app.connection_or_acquire(pool=False) as one, app.connection_or_acquire(pool=False) as other:
        assert one is not other


@pytest.mark.covers("app.base.Celery.producer_pool", "app.base.Celery.producer_or_acquire")
def test_a_producer_of_the_pool_sends_what_kombu_users_send(make_app):
    app = make_app(broker_pool_limit=2)
    queue = Queue("of.kombu")
    with app.producer_or_acquire() as producer:
        producer.publish({"a": 1}, routing_key="of.kombu", declare=[queue])
    assert app.amqp.producer_pool is app.producer_pool
    with app.connection_or_acquire() as connection:
        message = queue(connection.default_channel).get(no_ack=True)
        assert message.payload == {"a": 1}
    with app.producer_or_acquire() as again:
        assert again is producer


@pytest.mark.covers("app.base.Celery.close")
def test_closing_the_app_closes_what_it_keeps_and_a_later_use_opens_anew(memory_url):
    with Celery("gone", broker=memory_url, set_as_current=False) as app:
        with app.connection_or_acquire() as kept:
            kept.connect()
        pool = app.pool
    assert not kept.connected
    assert app.pool is not pool
    with app.connection_or_acquire() as anew:
        assert anew is not kept
    app.close()


@pytest.mark.covers("app.base.Celery.on_after_fork")
def test_a_forked_child_is_told_and_uses_no_connection_of_its_parent(make_app):
    app = make_app(broker_pool_limit=1)
    with app.connection_or_acquire() as kept:
        kept.connect()
    pool, told = app.pool, []
    app.on_after_fork.connect(lambda sender, **_: told.append(sender), weak=False)
    holder = threading.Thread(target=app._lock.acquire)  # it ends without giving the lock back
    holder.start()
    holder.join(10)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover  # the child is measured by what it writes
        answer = b"no"
        try:
            if told == [app] and app.pool is not pool:
                answer = b"ok"
        finally:
            os.write(writing, answer)
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 2) == b"ok"
    os.close(reading)
    os.close(writing)
    assert told == []
    app.after_fork()  # gives the app a lock again


@pytest.mark.covers("app.base.Celery.connection", "app.base.Celery.broker_connection")
def test_a_connection_takes_what_is_given_over_what_is_configured(make_app):
    app = make_app(broker_transport_options={"polling": 1, "kept": 2}, broker_connection_timeout=4, broker_user="conf")
    connection = app.connection(
        "memory://elsewhere",
        userid="u",
        password="p",
        virtual_host="v",
        port=7,
        ssl=False,
        connect_timeout=9,
        transport="memory",
        transport_options={"polling": 3},
        heartbeat=5,
        login_method="PLAIN",
        failover_strategy="shuffle",
    )
    assert (connection.hostname, connection.userid, connection.password) == ("elsewhere", "u", "p")
    assert (connection.virtual_host, connection.port, connection.connect_timeout) == ("v", 7, 9)
    assert connection.transport_options == {"polling": 3, "kept": 2}
    assert (connection.heartbeat, connection.login_method) == (5, "PLAIN")
    assert app.broker_connection("memory://x").hostname == "x"
    assert app.connection().as_uri() == app.connection_for_write().as_uri()
