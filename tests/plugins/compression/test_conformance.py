"""Both do what every compressor must do."""

from __future__ import annotations

from celeriac.testing.conformance import CompressorHarness, CompressorSuite


class TestZstd(CompressorSuite):
    name = "zstd"

    def make_harness(self):
        return CompressorHarness(self.name)


class TestBrotli(TestZstd):
    name = "brotli"
