"""How long a lost broker is sought."""

from __future__ import annotations

import pytest
from kombu.exceptions import OperationalError

from celeriac.worker.persistence import Persistence


class Refused(Exception):
    """What a broker closes a channel with."""


@pytest.fixture
def ends():
    return []


@pytest.fixture
def persistence(app, ends):
    return Persistence(app, lambda: ends.append(True))


def lasts(persistence, error, tries=0):
    return persistence.lasts(error, tries, (Refused,))


def test_a_lost_connection_is_made_again(persistence, ends):
    assert lasts(persistence, ConnectionError("lost"), 99)
    assert lasts(persistence, Refused("timeout"))
    assert ends == []


def test_after_so_many_tries_in_vain_the_worker_ends_and_is_told_so_once(app, persistence, ends, caplog):
    assert not lasts(persistence, ConnectionError("lost"), 100)
    assert not lasts(persistence, ConnectionError("lost"), 100)
    assert ends == [True]
    assert caplog.text.count("the worker ends") == 1


@pytest.mark.parametrize("most", [0, None])
def test_tries_may_be_without_end(app, persistence, most):
    app.conf.broker_connection_max_retries = most
    assert lasts(persistence, ConnectionError("lost"), 100_000)


@pytest.mark.covers("settings.broker_channel_error_retry")
@pytest.mark.parametrize("is_caused", [False, True])
def test_the_worker_may_end_where_the_broker_closes_a_channel(app, persistence, ends, is_caused):
    app.conf.broker_channel_error_retry = False
    error = Refused("timeout")
    if is_caused:
        error = OperationalError("the broker says so")
        error.__cause__ = Refused("timeout")
    assert lasts(persistence, ConnectionError("lost"))
    assert not lasts(persistence, error)
    assert ends == [True]
