"""What every serializer must do, signed."""

from __future__ import annotations

from celeriac.testing.conformance import SerializerHarness, SerializerSuite
from celeriac_auth.driver import AuthSerializer


class TestConformance(SerializerSuite):
    def make_harness(self):
        return SerializerHarness(AuthSerializer)
