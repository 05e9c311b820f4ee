"""The broker and the store do what every one must do."""

from __future__ import annotations

import pytest

from celeriac.testing.conformance import BackendHarness, BackendSuite, BrokerHarness, BrokerSuite


class TestRedisBroker(BrokerSuite):
    column = "redis"

    @pytest.fixture(autouse=True)
    def _at(self, url, app, server):
        self.url, self.app = url, app
        app.conf.broker_transport_options = {**app.conf.broker_transport_options, "lease": 1, "socket_timeout": 5}

    def make_harness(self):
        return BrokerHarness(self.url, self.app)


class TestRedisBackend(BackendSuite):
    column = "redis"

    @pytest.fixture(autouse=True)
    def _at(self, url, app, server):
        self.url, self.app = url, app
        app.conf.result_backend_transport_options = {"socket_timeout": 5}

    def make_harness(self):
        return BackendHarness(self.url, self.app)
