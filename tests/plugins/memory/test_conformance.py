"""The broker and the store do what every one must do."""

from __future__ import annotations

from celeriac.testing.conformance import BackendHarness, BackendSuite, BrokerHarness, BrokerSuite


class TestMemoryBroker(BrokerSuite):
    column = "memory"
    unclaimed = ("CLAIMS_RETURN", "LEASES", "one TCP server", "other processes")

    def make_harness(self):
        return BrokerHarness("memory://conformance")


class TestMemoryBackend(BackendSuite):
    column = "memory"
    unclaimed = ("one TCP server", "other processes")

    def make_harness(self):
        return BackendHarness("memory://conformance")
