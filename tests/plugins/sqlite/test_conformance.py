"""The broker and the store do what every one must do."""

from __future__ import annotations

import pytest

from celeriac.testing.conformance import BackendHarness, BackendSuite, BrokerHarness, BrokerSuite


class TestSqliteBroker(BrokerSuite):
    column = "sqlite"

    @pytest.fixture(autouse=True)
    def place(self, url):
        self.url = url

    def make_harness(self):
        return BrokerHarness(self.url)


class TestSqliteBackend(BackendSuite):
    column = "sqlite"

    @pytest.fixture(autouse=True)
    def place(self, url):
        self.url = url

    def make_harness(self):
        return BackendHarness(self.url)
