"""What a driver must do, as tests that anybody can run against theirs.

With pytest, subclass a suite and name your driver::

    from celeriac.testing.conformance import BrokerHarness, BrokerSuite

    class TestMyBroker(BrokerSuite):
        def make_harness(self):
            return BrokerHarness("mybroker://")

Without pytest: ``celeriac plugins check mybroker``, or `check`.  What a driver does not claim is reported as not
claimed (by pytest as skipped), never as passed.  Each test has a `Level`.  What a driver fails, and its author knows
of, is named in the suite's `known_gaps`, and is reported as such for as long as it fails.
"""

from __future__ import annotations

from celeriac.testing.conformance.backend import BackendHarness, BackendSuite
from celeriac.testing.conformance.broker import BrokerSuite
from celeriac.testing.conformance.broker_harness import BrokerHarness
from celeriac.testing.conformance.compressor import CompressorHarness, CompressorSuite
from celeriac.testing.conformance.demands import KnownGap, NotClaimed
from celeriac.testing.conformance.pool import PoolSuite
from celeriac.testing.conformance.pool_harness import PoolHarness
from celeriac.testing.conformance.report import KINDS, KINDS_BY_URL, Report, Telling, check
from celeriac.testing.conformance.scheduler import SchedulerHarness, SchedulerSuite
from celeriac.testing.conformance.serializer import SerializerHarness, SerializerSuite
from celeriac.testing.conformance.suite import Level, Suite, Verdict, VerdictKind, run

__all__ = [
    "KINDS",
    "KINDS_BY_URL",
    "BackendHarness",
    "BackendSuite",
    "BrokerHarness",
    "BrokerSuite",
    "CompressorHarness",
    "CompressorSuite",
    "KnownGap",
    "Level",
    "NotClaimed",
    "PoolHarness",
    "PoolSuite",
    "Report",
    "SchedulerHarness",
    "SchedulerSuite",
    "SerializerHarness",
    "SerializerSuite",
    "Suite",
    "Telling",
    "Verdict",
    "VerdictKind",
    "check",
    "run",
]
