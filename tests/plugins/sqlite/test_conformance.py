"""The broker and the store do what every one must do."""

from __future__ import annotations

import pytest

from celeriac import Celery
from celeriac.testing.conformance import BackendHarness, BackendSuite, BrokerHarness, BrokerSuite


class TestSqliteBroker(BrokerSuite):
    column = "sqlite"
    unclaimed = ("one TCP server",)

    @pytest.fixture(autouse=True)
    def place(self, url):
        self.url = url
        self.app = Celery("conformance", broker=url, set_as_current=False)
        self.app.conf.broker_transport_options = {"lease": 1}

    def make_harness(self):
        return BrokerHarness(self.url, self.app)


class TestSqliteBackend(BackendSuite):
    column = "sqlite"
    unclaimed = ("one TCP server", "passwords")

    @pytest.fixture(autouse=True)
    def place(self, url):
        self.url = url

    def make_harness(self):
        return BackendHarness(self.url)
