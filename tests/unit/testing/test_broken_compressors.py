"""A compressor that breaks its contract fails the test of the kit that says so."""

from __future__ import annotations

import threading
import zlib
from typing import ClassVar

import pytest

from celeriac.contracts import Compressor
from celeriac.exceptions import ProtocolError
from celeriac.protocol import compression
from celeriac.testing.conformance import CompressorHarness, CompressorSuite

SUITE = CompressorSuite


class Gzip(Compressor):
    """The kernel's own, of which each mutant breaks one thing."""

    content_type: ClassVar[str] = "application/x-gzip"

    def compress(self, data):
        return zlib.compress(data)

    def expand(self, data, most):
        return compression.expand(data, "gzip", most)


class Nameless(Gzip):
    content_type = "gzip"


class LosesNulls(Gzip):
    def compress(self, data):
        return super().compress(data.replace(b"\0", b""))


class WritesMutableBytes(Gzip):
    def compress(self, data):
        return bytearray(super().compress(data))


class LeavesNothingAsItIs(Gzip):
    def compress(self, data):
        return data and super().compress(data)


class CompressesNothing(Gzip):
    def compress(self, data):
        return zlib.compress(data, 0)


class AllowsOneLess(Gzip):
    def expand(self, data, most):
        return super().expand(data, most - 1 if most else 0)


class AllowsTwice(Gzip):
    def expand(self, data, most):
        return super().expand(data, 2 * most)


class CountsWhenAllIsThere(Gzip):
    def expand(self, data, most):
        found = super().expand(data, 2**40)
        if len(found) > most:
            raise ProtocolError("too much")
        return found


class TakesHalfForTheWhole(Gzip):
    def expand(self, data, most):
        try:
            found = zlib.decompressobj().decompress(data, most + 1)
        except zlib.error as error:
            raise ProtocolError("damaged") from error
        if len(found) > most:
            raise ProtocolError("too much")
        return found


class RaisesItsOwn(Gzip):
    def expand(self, data, most):
        found = zlib.decompress(data)
        if len(found) > most:
            raise ProtocolError("too much")
        return found


class HasOneForAll(Gzip):
    """Every thread feeds the same machine."""

    def __init__(self):
        self.turn, self.data = threading.Barrier(2), b""

    def expand(self, data, most):
        self.data = data
        if threading.current_thread() is not threading.main_thread():
            self.turn.wait(1)
        return super().expand(self.data, most)


MUTANTS = {
    Gzip: set(),
    Nameless: {"says what it writes"},
    LosesNulls: {"what was compressed comes back"},
    WritesMutableBytes: {"what was compressed comes back"},
    LeavesNothingAsItIs: {"an empty body comes back"},
    CompressesNothing: {"what repeats becomes smaller"},
    AllowsOneLess: {"exactly as much as is allowed is read"},
    AllowsTwice: {"exactly as much as is allowed is read"},
    CountsWhenAllIsThere: {"a bomb is refused before it fills the memory"},
    TakesHalfForTheWhole: {"cut data is refused"},
    RaisesItsOwn: {"damaged data is refused or within the limit", "hostile data is refused", "cut data is refused"},
    HasOneForAll: {"threads share it"},
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_compressor_fails_by_name(mutant, failed):
    assert failed(CompressorSuite, lambda: CompressorHarness(mutant), MUTANTS[mutant]) == MUTANTS[mutant]
