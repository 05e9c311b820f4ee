"""What a compressor must do."""

from __future__ import annotations

import random
import sys
from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Final

from celeriac.contracts.compressor import Compressor
from celeriac.exceptions import ProtocolError
from celeriac.protocol import compression
from celeriac.testing.conformance.demands import demand, fail
from celeriac.testing.conformance.forks import in_a_child
from celeriac.testing.conformance.suite import Suite
from celeriac.testing.conformance.threads import together

#: What random bytes are made of, so that every run has the same.
_SEED: Final = 20_01
#: The most that data of a stranger may become, in bytes.
_MOST: Final = 10_000
#: What a bomb would expand to, and how much of the memory may go on finding that out.
_BOMB: Final = 40 * 1024 * 1024
_ROOM: Final = 20 * 1024 * 1024


class CompressorHarness:
    """Gives the suite a compressor: `driver` is its class, a name that a plugin answers to, or one of the kernel's."""

    def __init__(self, driver: Any) -> None:
        if isinstance(driver, str) and compression.is_known(driver):
            self.compressor: Compressor = _KernelsOwn(driver)
            return
        if isinstance(driver, str):
            from celeriac.plugin.manager import PluginManager  # only where it must be found by name

            driver = PluginManager().driver("compressor", driver)
        self.compressor = driver()

    def close(self) -> None:
        """Nothing to release."""


class _KernelsOwn(Compressor):
    """What Python itself can do, with the interface of a driver."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kind, _ = compression.compress(b"", name)

    @property
    def content_type(self) -> str:  # type: ignore[override]  # of the class where there is one for each
        """As the header says."""
        return self._kind

    def compress(self, data: bytes) -> bytes:
        return compression.compress(data, self._name)[1]

    def expand(self, data: bytes, most: int) -> bytes:
        return compression.expand(data, self._kind, most)


class CompressorSuite(Suite, ABC):
    """Subclass it and give `make_harness`."""

    @abstractmethod
    def make_harness(self) -> CompressorHarness:
        """The harness for one test."""

    @property
    def harness(self) -> CompressorHarness:
        """The harness of this test."""
        made: CompressorHarness = super().harness
        return made

    def _is_refused(self, data: bytes, most: int = _MOST) -> bool:
        """Whether it is, by the one error; the test fails with any other, and with more than `most` bytes."""
        try:
            found = self.harness.compressor.expand(data, most)
        except ProtocolError:
            return True
        except Exception as error:  # noqa: BLE001  # whatever else it raises is what the test is about
            fail(f"{_shown(data)} must raise ProtocolError, and raised {type(error).__name__}: {error}")
        demand(len(found) <= most, f"{_shown(data)} became {len(found)} bytes, where {most} were allowed")
        return False

    def test_says_what_it_writes(self) -> None:
        kind = getattr(self.harness.compressor, "content_type", None)
        demand(isinstance(kind, str) and "/" in kind, f"content_type must be type/subtype, and is {kind!r}")

    def test_what_was_compressed_comes_back(self) -> None:
        compressor, chance = self.harness.compressor, _chance()
        for body in (b"\x00", bytes(range(256)), b'{"a": [1, 2]}' * 500, chance.randbytes(200_000), bytes(1_000_000)):
            data = compressor.compress(body)
            back = compressor.expand(data, len(body))
            demand(type(data) is type(back) is bytes, f"bytes were due, not {type(data)} and {type(back)}")
            demand(back == body, f"{len(body)} bytes, {_shown(body)}, came back as {len(back)}, or different")

    def test_an_empty_body_comes_back(self) -> None:
        compressor = self.harness.compressor
        for most in (0, _MOST):
            back = compressor.expand(compressor.compress(b""), most)
            demand(back == b"", f"an empty body came back as {back!r}")

    def test_what_repeats_becomes_smaller(self) -> None:
        body = b'{"key": "value"}' * 1000
        size = len(self.harness.compressor.compress(body))
        demand(size < len(body) / 10, f"{len(body)} bytes that repeat one thing were compressed to {size}")

    def test_exactly_as_much_as_is_allowed_is_read(self) -> None:
        data = self.harness.compressor.compress(bytes(_MOST))
        demand(not self._is_refused(data, _MOST), f"{_MOST} bytes were refused, where as many are allowed")
        demand(self._is_refused(data, _MOST - 1), f"{_MOST} bytes were read, where one less is allowed")
        demand(self._is_refused(data, 0), f"{_MOST} bytes were read, where none is allowed")

    def test_a_bomb_is_refused_before_it_fills_the_memory(self) -> None:
        bomb = self.harness.compressor.compress(bytes(_BOMB))

        def open_it() -> None:
            before = _peak()
            if not self._is_refused(bomb) or _peak() - before > _ROOM:
                raise MemoryError

        expected = f"{len(bomb)} bytes that become {_BOMB} must be refused, with less than {_ROOM} of the memory used"
        demand(in_a_child(open_it) == 0, f"{expected}; they were read, or took more")

    def test_cut_data_is_refused(self) -> None:
        data = self.harness.compressor.compress(_chance().randbytes(100) * 3)
        for length in range(len(data)):
            demand(self._is_refused(data[:length]), f"the first {length} of {len(data)} bytes were taken for the whole")

    def test_damaged_data_is_refused_or_within_the_limit(self) -> None:
        data = self.harness.compressor.compress(bytes(range(256)) * 2)
        for place in range(len(data)):
            for flip in (0x01, 0x80, 0xFF):
                self._is_refused(data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])

    def test_hostile_data_is_refused(self) -> None:
        chance = _chance()
        for data in (b"\x00", b"\xff" * 1000, b"[" * 1000, *(chance.randbytes(1 + n % 300) for n in range(300))):
            self._is_refused(data)

    def test_threads_share_it(self) -> None:
        bodies = [_chance(number).randbytes(5000) * 4 for number in range(8)]

        def use(body: bytes) -> None:
            for _ in range(5):
                back = self.harness.compressor.expand(self.harness.compressor.compress(body), len(body))
                demand(back == body, "of eight threads one got back what it had not compressed")

        self.harness.compressor.compress(b"")  # made before the threads ask for it
        together([partial(use, body) for body in bodies])


def _chance(seed: int = _SEED) -> random.Random:
    return random.Random(seed)  # noqa: S311  # no secret, and the same in every run


def _peak() -> int:
    """The most memory that this process has used so far, in bytes."""
    import resource  # which not every system has

    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024


def _shown(data: bytes) -> str:
    return repr(data if len(data) < 30 else data[:30] + b"...")
