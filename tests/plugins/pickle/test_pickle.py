"""Pickle: any object, accepted only by name, one error for what cannot be read."""

from __future__ import annotations

import pickle
import pickletools
from decimal import Decimal

import pytest
from kombu import serialization

from celeriac import Celery
from celeriac.exceptions import ContentDisallowed, ImproperlyConfigured, ProtocolError, SerializationError
from celeriac.testing.conformance import SerializerHarness, SerializerSuite
from celeriac_pickle.serializer import PickleSerializer


class TestConformance(SerializerSuite):
    def make_harness(self):
        return SerializerHarness("pickle")


@pytest.fixture
def app():
    with Celery("pickling", set_as_current=False) as app:
        yield app


def test_objects_come_back_as_what_they_were():
    value = {"set": {1, 2}, "tuple": (1, (2,)), "decimal": Decimal("1.5"), "error": ValueError("x"), 3: Ellipsis}
    back = PickleSerializer().loads(PickleSerializer().dumps(value))
    assert repr(back) == repr(value)


def test_kombu_reads_and_writes_the_same():
    kind, encoding, data = serialization.dumps({"a": {1}}, serializer="pickle")
    assert (kind, encoding) == (PickleSerializer.content_type, PickleSerializer.content_encoding)
    assert PickleSerializer().loads(data) == {"a": {1}}
    data = PickleSerializer().dumps({"a": {1}})
    assert serialization.loads(data, kind, encoding, accept={kind}) == {"a": {1}}


def test_what_cannot_be_pickled_is_named_by_its_place():
    body = ([1, {"f": lambda: 1}], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None})
    with pytest.raises(SerializationError, match=r"^args\[1\]\['f'\]: object of type function cannot be pickled"):
        PickleSerializer().dumps(body)


def protocol_of(data):
    return next(pickletools.genops(data))[1]


def test_the_pickle_protocol_is_four_unless_the_variable_says_otherwise(monkeypatch):
    monkeypatch.delenv("PICKLE_PROTOCOL", raising=False)
    assert protocol_of(PickleSerializer().dumps([])) == 4
    monkeypatch.setenv("PICKLE_PROTOCOL", "2")
    assert protocol_of(PickleSerializer().dumps([])) == 2


@pytest.mark.parametrize("given", ["many", "-1", "99"])
def test_a_protocol_that_python_does_not_have_is_refused(monkeypatch, given):
    monkeypatch.setenv("PICKLE_PROTOCOL", given)
    with pytest.raises(ImproperlyConfigured, match="PICKLE_PROTOCOL"):
        PickleSerializer()


class Bomb:
    """Goes off where it is unpickled."""

    def __reduce__(self):
        return eval, ("1 / 0",)


def test_an_error_while_a_pickle_is_read_is_the_one_typed_error():
    with pytest.raises(ProtocolError, match="ZeroDivisionError"):
        PickleSerializer().loads(pickle.dumps(Bomb()))


def test_too_long_a_pickle_is_neither_written_nor_read(monkeypatch):
    monkeypatch.setattr("celeriac_pickle.serializer.MAX_BYTES", 10)
    with pytest.raises(SerializationError, match="more than 10"):
        PickleSerializer().dumps("x" * 20)
    with pytest.raises(ProtocolError, match="longer than the 10"):
        PickleSerializer().loads(pickle.dumps("x" * 20))


def test_installed_alone_it_lets_nothing_in(app):
    kind, _, data = app.serializers.encode(Bomb(), "pickle")
    with pytest.raises(ContentDisallowed, match="accept_content does not name 'pickle'"):
        app.serializers.decode(data, kind)
    with pytest.raises(ContentDisallowed):
        app.serializers.decode_result(data, kind)


@pytest.mark.parametrize("name", ["pickle", "application/x-python-serialize"])
def test_named_by_either_name_it_is_accepted(app, name):
    app.conf.accept_content = ["json", name]
    kind, _, data = app.serializers.encode({1}, "pickle")
    assert app.serializers.decode(data, kind) == {1}
