"""Turning on signed messages."""

from __future__ import annotations

import pytest

from celeriac.app.json_serializer import JsonSerializer
from celeriac.exceptions import ImproperlyConfigured, SecurityError

pytestmark = pytest.mark.covers("app.base.Celery.setup_security")


SIGNED = {"task_serializer": "auth", "event_serializer": "auth", "result_serializer": "auth"}


class Signed(JsonSerializer):
    """Stands for the serializer of a plugin that signs."""

    name = "auth"
    content_type = "application/data"
    told = None

    @classmethod
    def set_up(cls, app, **options):
        cls.told = options
        return cls()


def test_until_a_plugin_signs_the_error_says_which_would(app):
    with pytest.raises(ImproperlyConfigured, match=r"messages cannot be signed: .*celeriac-auth"):
        app.setup_security()


def test_a_plugin_is_told_of_keys_and_only_signed_messages_are_accepted(make_app):
    app = make_app(**SIGNED)
    app.plugins.register_driver("serializer", "auth", Signed)
    assert app.serializers.accepts("application/json")
    app.setup_security(key="k.pem", cert="c.pem", store="*.pem", key_password=b"secret")
    assert Signed.told == {
        "serializer": "json",
        "allowed": (),
        "key": "k.pem",
        "key_password": b"secret",
        "cert": "c.pem",
        "store": "*.pem",
        "digest": "sha256",
    }
    assert app.serializers.accepts("application/data")
    assert not app.serializers.accepts("application/json")
    with pytest.raises(SecurityError):
        app.serializers.decode(b"[]", "application/json")


def test_some_content_may_be_accepted_unsigned(make_app):
    app = make_app(**SIGNED)
    app.plugins.register_driver("serializer", "auth", Signed)
    app.setup_security(allowed_serializers=["json"])
    assert app.serializers.accepts("application/json")


def test_an_app_that_would_send_unsigned_messages_is_refused(make_app):
    app = make_app()
    app.plugins.register_driver("serializer", "auth", Signed)
    with pytest.raises(ImproperlyConfigured, match=r"set task_serializer .* to 'auth'"):
        app.setup_security()


def test_a_serializer_of_that_name_that_does_not_sign_is_refused(make_app):
    app = make_app(**SIGNED)
    app.plugins.register_driver("serializer", "auth", JsonSerializer)
    with pytest.raises(ImproperlyConfigured, match="has no method set_up"):
        app.setup_security()


def test_events_on_which_workers_act_are_to_be_signed_too(make_app):
    app = make_app(**{**SIGNED, "event_serializer": "json"})
    app.plugins.register_driver("serializer", "auth", Signed)
    with pytest.raises(ImproperlyConfigured, match="event_serializer is 'json'"):
        app.setup_security()
    app.setup_security(allowed_serializers=["json"])


def test_results_that_nobody_would_read_are_told_of_at_once(make_app):
    app = make_app(**{**SIGNED, "result_serializer": "json"})
    app.plugins.register_driver("serializer", "auth", Signed)
    with pytest.raises(ImproperlyConfigured, match="result_serializer is 'json'"):
        app.setup_security()
    app.conf.result_accept_content = ["json"]
    app.setup_security()
