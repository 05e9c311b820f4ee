"""What Python itself can do, does what every compressor must do."""

from __future__ import annotations

from celeriac.testing.conformance import CompressorHarness, CompressorSuite


class TestGzip(CompressorSuite):
    name = "gzip"

    def make_harness(self):
        return CompressorHarness(self.name)


class TestBzip2(TestGzip):
    name = "bzip2"


class TestLzma(TestGzip):
    name = "lzma"
