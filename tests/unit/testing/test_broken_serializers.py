"""A serializer that breaks its contract fails the test of the kit that says so."""

from __future__ import annotations

import pytest

from celeriac.contracts import Serializer
from celeriac.exceptions import ProtocolError, SerializationError
from celeriac.protocol.json import dumps, loads
from celeriac.testing.conformance import SerializerHarness, SerializerSuite

SUITE = SerializerSuite


class Json(Serializer):
    name = "mutant"
    content_type = "application/json"
    content_encoding = "utf-8"

    def dumps(self, value):
        return dumps(value)

    def loads(self, data):
        return loads(data)


class Nameless(Json):
    name = ""


class WritesText(Json):
    def dumps(self, value):
        return super().dumps(value).decode()


class WritesAnotherEncoding(Json):
    def dumps(self, value):
        return super().dumps(value).decode().encode("utf-16")

    def loads(self, data):
        return super().loads(data.decode("utf-16").encode())


class TrustsNobodyToFail(Json):
    def loads(self, data):
        import json

        return json.loads(data)


class WritesAnything(Json):
    def dumps(self, value):
        try:
            return super().dumps(value)
        except SerializationError:
            return b"null"


class LosesNulls(Json):
    def loads(self, data):
        found = super().loads(data)
        return {} if found is None else found


class Guesses(Json):
    whole = b""

    def dumps(self, value):
        type(self).whole = super().dumps(value)
        return self.whole

    def loads(self, data):
        try:
            return super().loads(data)
        except ProtocolError:
            if self.whole.startswith(data) and len(data) > len(self.whole) // 2:
                return super().loads(self.whole)
            raise


MUTANTS = {
    Json: set(),
    Nameless: {"says what it writes"},
    WritesText: {"writes bytes"},
    WritesAnotherEncoding: {"text is what the encoding says"},
    TrustsNobodyToFail: {"hostile data is refused"},
    WritesAnything: {"what cannot be written is refused"},
    LosesNulls: {"plain values come back unchanged"},
    Guesses: {"cut data is not taken for whole"},
}


@pytest.mark.parametrize("serializer", MUTANTS, ids=lambda serializer: serializer.__name__)
def test_a_broken_serializer_fails_by_name(serializer, failed):
    expected = MUTANTS[serializer]
    assert failed(SerializerSuite, lambda: SerializerHarness(serializer), expected) == expected
