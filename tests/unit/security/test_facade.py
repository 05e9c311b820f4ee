"""Where users of Celery look for signing: the names are lent by the plugin, and say what to install without it."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from celeriac import security
from celeriac.app.current import set_current_app

LENT = {
    "certificate": ["CertStore", "Certificate", "FSCertStore"],
    "key": ["PrivateKey"],
    "serialization": ["SecureSerializer", "register_auth"],
}


@pytest.fixture
def with_plugin(monkeypatch, make_app):
    """An app, the current one, for which the plugin is there."""
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "memory,auth")
    app = make_app()
    set_current_app(app)
    return app


@pytest.mark.parametrize("module", LENT)
def test_each_name_is_what_the_plugin_has(with_plugin, module):
    found = importlib.import_module(f"celeriac.security.{module}")
    assert found.__all__ == LENT[module]
    driver = with_plugin.plugins.driver("serializer", "auth")
    for name in found.__all__:
        assert getattr(found, name) is driver.public[name]
    with pytest.raises(AttributeError, match="has no attribute 'other'"):
        _ = found.other


@pytest.mark.parametrize("module", LENT)
def test_without_the_plugin_the_error_names_it(app, module):
    set_current_app(app)
    found = importlib.import_module(f"celeriac.security.{module}")
    with pytest.raises(ImportError, match=r"needs a plugin: .*celeriac-auth"):
        getattr(found, LENT[module][0])


def test_importing_the_package_loads_no_cryptography():
    code = "import celeriac.security, sys; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_function_is_that_of_the_current_app_or_of_the_one_that_is_given(make_app):
    told = []
    one, other = make_app("one"), make_app("other")
    one.setup_security = lambda *given: told.append(("one", given))
    other.setup_security = lambda *given: told.append(("other", given))
    set_current_app(one)
    security.setup_security(key="k")
    security.setup_security(["json"], digest="sha512", app=other)
    assert told == [
        ("one", (None, "k", None, None, None, "sha256", "json")),
        ("other", (["json"], None, None, None, None, "sha512", "json")),
    ]


def test_untrusted_serializers_are_disabled_for_the_current_app(make_app):
    app = make_app(accept_content=["json", "auth"], task_serializer="json")
    set_current_app(app)
    assert security.disable_insecure_serializers is security.disable_untrusted_serializers
    security.disable_untrusted_serializers()
    assert list(app.conf.accept_content) == ["json"]
    assert list(app.serializers.accepted) == ["application/json"]
