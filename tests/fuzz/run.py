"""Fuzz one decoder for a while: ``python tests/fuzz/run.py json --engine hypothesis --seconds 600``.

Prints one row of a table (decoder, engine, runs, findings, peak memory in MiB, slowest run in seconds), and exits
with 1 where something was found.  A finding is any error that is no typed one, a run of more than 10 seconds, or
memory that has grown by more than 512 MiB.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import resource
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

SLOWEST = 10.0
GROWTH = 512
LONGEST = 64 * 1024


def peak() -> int:
    """Of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


class Trial:
    """Runs a decoder and keeps count."""

    def __init__(self, name: str, run: Callable[[bytes], object], typed: tuple[type[Exception], ...]) -> None:
        self.name = name
        self._run = run
        self._typed = typed
        self.runs = self.read = 0
        self.slowest = 0.0
        self.findings: dict[str, bytes] = {}
        self._peak = self.first_peak = peak()

    def __call__(self, data: bytes) -> None:
        data = data[:LONGEST]
        since = time.perf_counter()
        try:
            self._run(data)
            self.read += 1
        except self._typed:
            pass
        except Exception as error:  # noqa: BLE001  # the very thing that is looked for
            self._found(f"{type(error).__name__} at {traceback.extract_tb(error.__traceback__)[-1][:2]}: {error}", data)
        self.runs += 1
        took = time.perf_counter() - since
        if took > self.slowest:
            self.slowest = took
            if took > SLOWEST:
                self._found(f"took {took:.1f} seconds", data)
        if self.runs % 256 == 0 and (now := peak()) > self._peak + GROWTH:
            self._peak = now
            self._found(f"memory grew to {now} MiB", data)

    def _found(self, what: str, data: bytes) -> None:
        key = what[:120]
        if key not in self.findings:
            self.findings[key] = data
            print(f"FOUND in {self.name}: {what[:500]}\n    {data[:200]!r}", file=sys.stderr, flush=True)

    def row(self, engine: str) -> str:
        return (
            f"| {self.name} | {engine} | {self.runs:,} | {self.read:,} | {len(self.findings)} | {peak()} | "
            f"{self.slowest:.2f} |"
        )


def by_hypothesis(trial: Trial, seeds: tuple[bytes, ...], seconds: float) -> None:
    """Random bytes, texts of the format's own characters, and the seeds, cut, doubled and with places changed."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    until = time.monotonic() + seconds
    alphabet = sorted({bytes([byte]) for seed in seeds for byte in seed[:2000]})

    @st.composite
    def changed(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(st.sampled_from(seeds)))
        for _ in range(draw(st.integers(0, 6))):
            place = draw(st.integers(0, max(len(data) - 1, 0)))
            length = draw(st.integers(0, 8))
            data[place : place + length] = draw(
                st.binary(max_size=8)
                | st.lists(st.sampled_from(alphabet), max_size=8).map(b"".join)
                | st.just(bytes(data[place : place + 40]) * 3)
            )
        return bytes(data)

    inputs = (
        changed()
        | st.binary(max_size=400)
        | st.lists(st.sampled_from(alphabet), max_size=300).map(b"".join)
        | st.tuples(st.sampled_from(alphabet), st.integers(1, 20_000)).map(lambda pair: pair[0] * pair[1])
    )

    @settings(
        max_examples=20_000,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(inputs)
    def some(data: bytes) -> None:
        if time.monotonic() > until:
            raise KeyboardInterrupt  # the one thing that ends a run of hypothesis at once
        trial(data)

    for seed in seeds:
        trial(seed)
    # It would print how to repeat what ended.
    with contextlib.suppress(KeyboardInterrupt), contextlib.redirect_stdout(io.StringIO()):
        while True:
            some()


def by_atheris(trial: Trial, seeds: tuple[bytes, ...], seconds: float, report: Callable[[], None]) -> None:
    """What coverage of the Python code leads to; never returns."""
    import atheris

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        ended = threading.Event()

        def once(data: bytes) -> None:
            trial(data)
            if time.monotonic() > until and not ended.is_set():
                ended.set()
                report()
                os._exit(1 if trial.findings else 0)

        until = time.monotonic() + seconds
        arguments = ["fuzz", corpus, f"-max_len={LONGEST}", "-rss_limit_mb=2048", "-timeout=30", "-verbosity=0"]
        atheris.Setup(arguments, once, internal_libfuzzer=True)
        atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("decoder")
    parser.add_argument("--engine", choices=["hypothesis", "atheris"], default="hypothesis")
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", "600")))
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    if given.engine == "atheris":
        import atheris

        with atheris.instrument_imports(
            include=[
                "celeriac",
                "celeriac_amqp",
                "celeriac_auth",
                "celeriac_orjson",
                "celeriac_redis",
                "celeriac_sqlite",
                "celeriac_yaml",
                "json",
                "yaml",
            ]
        ):
            import decoders
    else:
        import decoders
    decoder = decoders.decoders()[given.decoder]
    trial = Trial(given.decoder, decoder.run, decoder.typed)
    if given.engine == "atheris":
        by_atheris(trial, decoder.seeds, given.seconds, lambda: print(trial.row("atheris"), flush=True))
    by_hypothesis(trial, decoder.seeds, given.seconds)
    print(trial.row("hypothesis"), flush=True)
    return 1 if trial.findings else 0


if __name__ == "__main__":
    sys.exit(main())
