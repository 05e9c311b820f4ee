"""The broker does what every one must do, with both kinds of queues."""

from __future__ import annotations

import pytest

from celeriac import Celery
from celeriac.testing.conformance import BackendHarness, BackendSuite, BrokerHarness, BrokerSuite


class TestClassicQueues(BrokerSuite):
    unclaimed = ("BEGIN_TRACE", "DELIVERY_COUNT", "LEASES", "NATIVE_DELAY", "publishes_once")

    @pytest.fixture(autouse=True)
    def _at(self, url):
        self.url = url

    def make_harness(self):
        app = Celery("conformance", broker=self.url, set_as_current=False)
        app.conf.broker_transport_options = {"confirm_timeout": 5}
        return BrokerHarness(self.url, app)


class QuorumHarness(BrokerHarness):
    """With a queue that is replicated, and queues of the test's own for messages that wait."""

    def __init__(self, url, prefix):
        app = Celery("conformance", broker=url, set_as_current=False)
        app.conf.broker_transport_options = {"confirm_timeout": 5, "delayed_delivery_prefix": prefix}
        super().__init__(url, app, queue_type="quorum")


class TestQuorumQueues(BrokerSuite):
    unclaimed = ("BEGIN_TRACE", "GIVE_BACK", "LEASES", "PRIORITY", "publishes_once")

    @pytest.fixture(autouse=True)
    def _at(self, url, prefix):
        self.url, self.prefix = url, prefix

    def make_harness(self):
        return QuorumHarness(self.url, self.prefix)


class TestRpc(BackendSuite):
    unclaimed = ("chords", "groups", "other processes", "other readers", "primitives")

    @pytest.fixture(autouse=True)
    def _at(self, url):
        self.url = url
        with Celery("conformance", broker=url, set_as_current=False) as self.app:
            self.app.conf.broker_transport_options = {"confirm_timeout": 5}
            yield

    def make_harness(self):
        return BackendHarness(self.url.replace("amqp", "rpc", 1), self.app)
