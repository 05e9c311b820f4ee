"""What a serializer must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from celeriac.exceptions import ProtocolError, SecurityError, SerializationError
from celeriac.testing.conformance.demands import demand, fail
from celeriac.testing.conformance.suite import Suite

if TYPE_CHECKING:
    from celeriac.contracts.serializer import Serializer

#: Values that every serializer carries unchanged: those that the protocol itself consists of.
PLAIN_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    2**53,
    1.5,
    "",
    "text",
    "\N{SNOWMAN}\N{PILE OF POO}\x00\u2028",
    [],
    [1, [2, [3, []]]],
    {},
    {"key": {"key": ["value", None, {"": 0}]}},
    [[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}],
)

#: What a stranger may send.
HOSTILE_DATA: Final[tuple[bytes, ...]] = (
    b"",
    b"\x00",
    b"\xff\xfe\xfd",
    bytes(range(256)),
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"\x80\x04",
    b"\x91" * 100_000,
)


class SerializerHarness:
    """Gives the suite a serializer: `driver` is its class, or a name that an installed plugin answers to."""

    def __init__(self, driver: Any) -> None:
        if isinstance(driver, str):
            from celeriac.plugin.manager import PluginManager  # only where it must be found by name

            driver = PluginManager().driver("serializer", driver)
        self.serializer: Serializer = driver.for_trial()

    def close(self) -> None:
        """Nothing to release."""


class SerializerSuite(Suite, ABC):
    """Subclass it and give `make_harness`."""

    @abstractmethod
    def make_harness(self) -> SerializerHarness:
        """The harness for one test."""

    @property
    def harness(self) -> SerializerHarness:
        """The harness of this test."""
        made: SerializerHarness = super().harness
        return made

    def test_says_what_it_writes(self) -> None:
        serializer = self.harness.serializer
        for attribute in ("name", "content_type", "content_encoding"):
            value = getattr(serializer, attribute, None)
            demand(isinstance(value, str) and value, f"{attribute} must be a text, and is {value!r}")
        demand("/" in serializer.content_type, f"content_type must be type/subtype, and is {serializer.content_type!r}")

    def test_writes_bytes(self) -> None:
        data = self.harness.serializer.dumps([1])
        demand(type(data) is bytes, f"dumps must give bytes, and gave {type(data).__name__}")

    def test_text_is_what_the_encoding_says(self) -> None:
        serializer = self.harness.serializer
        if serializer.content_encoding == "utf-8":
            serializer.dumps(list(PLAIN_VALUES)).decode("utf-8")

    def test_plain_values_come_back_unchanged(self) -> None:
        serializer = self.harness.serializer
        for value in PLAIN_VALUES:
            back = serializer.loads(serializer.dumps(value))
            demand(back == value and type(back) is type(value), f"{value!r} came back as {back!r}")

    def test_what_cannot_be_written_is_refused(self) -> None:
        try:
            self.harness.serializer.dumps([_Stranger()])
        except SerializationError:
            return
        except Exception as error:  # noqa: BLE001  # whatever else it raises is what the test is about
            fail(f"an object that cannot be written must raise SerializationError, and raised {error!r}")
        fail("an object that cannot be written must raise SerializationError, and was written")

    def test_hostile_data_is_refused(self) -> None:
        for data in (*HOSTILE_DATA, *self._damaged()):
            shown = data if len(data) < 30 else data[:30] + b"..."
            try:
                self.harness.serializer.loads(data)
            except self._refusals:
                continue
            except Exception as error:  # noqa: BLE001  # whatever else it raises is what the test is about
                fail(f"{shown!r} must raise ProtocolError, and raised {type(error).__name__}: {error}")

    def test_cut_data_is_not_taken_for_whole(self) -> None:
        serializer = self.harness.serializer
        value = {"args": [1, "text"], "kwargs": {"key": [None, True]}}
        data = serializer.dumps(value)
        for length in range(len(data)):
            try:
                back = serializer.loads(data[:length])
            except self._refusals:
                continue
            demand(back != value, f"the first {length} of {len(data)} bytes gave the whole value")

    @property
    def _refusals(self) -> tuple[type[Exception], ...]:
        return (ProtocolError, SecurityError) if self.harness.serializer.authenticates else (ProtocolError,)

    def _damaged(self) -> list[bytes]:
        data = self.harness.serializer.dumps({"key": ["value", 1]})
        return [data[:place] + b"\xff\x00" + data[place + 1 :] for place in range(len(data))]


class _Stranger:
    """A value that no serializer can know: it refuses to be taken apart."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("this cannot be taken apart")
