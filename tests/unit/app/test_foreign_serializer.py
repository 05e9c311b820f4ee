"""What others have registered with Kombu serves as a serializer, accepted by name like any."""

from __future__ import annotations

import json

import pytest
from kombu import serialization

from celeriac import Celery
from celeriac.exceptions import ContentDisallowed, PluginNotFound, ProtocolError, SerializationError


@pytest.fixture
def app():
    serialization.register("backwards", lambda value: json.dumps(value)[::-1], lambda text: json.loads(text[::-1]),
                           content_type="application/x-backwards", content_encoding="utf-8")  # fmt: skip
    with Celery("foreign", set_as_current=False) as app:
        yield app
    serialization.unregister("backwards")


def test_it_is_written_by_name_and_read_where_it_is_accepted(app):
    kind, encoding, data = app.serializers.encode([1, "x"], "backwards")
    assert (kind, encoding, data) == ("application/x-backwards", "utf-8", b']"x" ,1[')
    with pytest.raises(ContentDisallowed):
        app.serializers.decode(data, kind)

    app.conf.accept_content = ["json", "backwards"]
    del app.serializers
    assert app.serializers.decode(data, kind) == [1, "x"]


def test_it_is_accepted_by_its_content_type_too(app):
    app.conf.accept_content = ["application/x-backwards"]
    assert app.serializers.decode(b"]1[", "application/x-backwards") == [1]


def test_its_errors_become_ours(app):
    app.conf.accept_content = ["backwards"]
    with pytest.raises(ProtocolError, match="not of the format of 'backwards'"):
        app.serializers.decode(b"[", "application/x-backwards")
    with pytest.raises(SerializationError, match="'backwards' cannot write it"):
        app.serializers.encode(object(), "backwards")


def test_kombus_own_pickle_is_none_of_them(app):
    app.plugins.driver = lambda kind, name: (_ for _ in ()).throw(PluginNotFound(f"pip install celeriac-{name}"))
    for name in ("pickle", "yaml", "msgpack", "nothing"):
        with pytest.raises(PluginNotFound, match=f"pip install celeriac-{name}"):
            app.serializers.get(name)
