"""A lane that does not keep its claims fails a test of the kit by name."""

from __future__ import annotations

from celeriac import Celery
from celeriac.testing.conformance import BrokerHarness, BrokerSuite, VerdictKind, run
from celeriac_sqlite.broker import SqliteTransport
from celeriac_sqlite.consumer import SqliteConsumerLane

SUITE = BrokerSuite


class NeverRenews(SqliteConsumerLane):
    def renew(self):
        pass


MUTANTS = {NeverRenews: {"claims that are renewed outlive their lease"}}


def test_a_lane_that_never_renews_fails_by_name(url):
    class Broken(SqliteTransport):
        @classmethod
        def consumer_lane(cls, connection):
            lane = super().consumer_lane(connection)
            lane.__class__ = NeverRenews
            return lane

    app = Celery("conformance", broker=url, set_as_current=False)
    app.plugins.register_driver("broker", "sqlite", Broken)
    app.conf.broker_transport_options = {"lease": 1}
    case = type("Case", (BrokerSuite,), {"make_harness": lambda _: BrokerHarness(url, app)})
    (found,) = run(case, only="renewed outlive")
    assert found.kind is VerdictKind.FAILED
    assert "given to another consumer" in found.detail or "dead worker" in found.detail
