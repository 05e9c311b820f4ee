"""Turning it on: what is missing or wrong is told of by the name of its setting, and no secret is ever shown."""

from __future__ import annotations

import pytest

from celeriac.exceptions import ImproperlyConfigured, SecurityError, SecurityWarning
from celeriac_auth import PrivateKey

pytestmark = pytest.mark.covers("app.base.Celery.setup_security")


@pytest.mark.covers("settings.security_key", "settings.security_certificate", "settings.security_cert_store")
@pytest.mark.parametrize("setting", ["security_key", "security_certificate", "security_cert_store"])
def test_a_setting_that_is_missing_or_names_nothing_is_named(make_app, tmp_path, setting):
    with pytest.raises(ImproperlyConfigured, match=f"the setting {setting} is not set"):
        make_app(**{setting: None})
    with pytest.raises(ImproperlyConfigured, match=f"the setting {setting} cannot be used"):
        make_app(**{setting: str(tmp_path / "nowhere")})
    odd = tmp_path / "odd"
    odd.write_text("what is this")
    with pytest.raises(ImproperlyConfigured, match=f"the setting {setting} cannot be used"):
        make_app(**{setting: str(odd)})


def test_paths_may_be_given_to_the_function_too(make_app, make_signer, store):
    signer = make_signer("by hand")
    app = make_app(set_up=False, security_key=None, security_certificate=None, security_cert_store=None)
    app.setup_security(key=str(signer.key_path), cert=signer.cert_path, store=str(store / "*.pem"))
    assert app.serializers.get("auth").content.identity.id == signer.id


def test_content_of_other_serializers_is_accepted_no_more(make_app):
    app = make_app(set_up=False)
    assert app.serializers.accepts("application/json")
    app.setup_security()
    assert list(app.conf.accept_content) == ["auth"]
    with pytest.raises(SecurityError, match="accept_content does not name 'json'"):
        app.serializers.decode(b"[]", "application/json")


def test_without_the_call_nothing_is_signed_and_nothing_read(make_app):
    app = make_app(set_up=False, accept_content=["auth"])
    with pytest.raises(ImproperlyConfigured, match=r"call app.setup_security\(\)"):
        app.send_task("any")
    with pytest.raises(ImproperlyConfigured, match=r"call app.setup_security\(\)"):
        _ = app.serializers.accepted


def test_a_key_of_another_certificate_is_refused(make_app, make_signer):
    other = make_signer("other")
    with pytest.raises(ImproperlyConfigured, match="security_certificate is not the certificate of the key"):
        make_app(security_key=str(other.key_path))


@pytest.mark.parametrize(("times", "said"), [((-9, -1), "has expired"), ((1, 9), "is not valid before")])
def test_a_certificate_of_one_s_own_that_does_not_count_now_is_refused(make_app, make_signer, times, said):
    with pytest.raises(ImproperlyConfigured, match=f"security_certificate cannot be used: .*{said}"):
        make_app(make_signer("late", begins=times[0], ends=times[1]))


@pytest.mark.covers("settings.security_key_password")
def test_a_key_with_a_password_needs_it_and_it_is_never_shown(make_app, make_signer):
    signer = make_signer("locked", password=b"open sesame")
    with pytest.raises(ImproperlyConfigured, match="has a password, and none is given"):
        make_app(signer)
    with pytest.raises(ImproperlyConfigured, match="its password is another one") as raised:
        make_app(signer, security_key_password=b"guess me")
    assert "guess" not in str(raised.value)
    assert raised.value.__cause__ is None
    for password in (b"open sesame", "open sesame"):
        app = make_app(signer, security_key_password=password)
        shown = f"{app.conf.shown(with_defaults=True)} {app.conf.humanize()} {app.bugreport()} {app.plugins.report()}"
        assert "security_key_password" in shown
        assert "sesame" not in shown
        assert "sesame" not in repr(app.serializers.get("auth").content.identity)


def test_a_password_too_many_is_told_of(make_app):
    with pytest.raises(ImproperlyConfigured, match="has no password, and one is given"):
        make_app(security_key_password="any")


@pytest.mark.covers("settings.security_digest")
def test_sha_1_is_refused_unless_it_is_asked_for_and_then_warned_of(make_app, make_signer):
    assert make_app().serializers.get("auth").content.identity.digest.name == "sha256"
    with pytest.warns(SecurityWarning, match="sha1, which can be forged"):
        app = make_app(security_digest="sha1")
    assert app.serializers.get("auth").content.identity.digest.name == "sha1"
    for name in ("md5", "sha", ""):
        with pytest.raises(ImproperlyConfigured, match="security_digest must be one of sha256"):
            make_app(security_digest=name)


def test_what_is_sealed_cannot_be_in_the_form_of_a_celery_that_cannot_open_it(make_app, tmp_path):
    with pytest.raises(ImproperlyConfigured, match="security_wire_format"):
        make_app(security_encrypt="one", security_wire_format="5.4")
    with pytest.raises(ImproperlyConfigured, match="security_encryption_keys is not set"):
        make_app(security_encrypt="one")


def test_headers_are_not_signed_where_messages_have_none(make_app):
    with pytest.raises(ImproperlyConfigured, match="security_sign_headers needs task_protocol 2"):
        make_app(security_sign_headers=True, task_protocol=1)


def test_the_report_says_who_signs(make_app, make_signer):
    signer = make_signer("reported")
    app = make_app(signer)
    assert signer.id in app.plugins.report()["signing"]
    assert "1 trusted" in app.plugins.report()["signing"]
    assert "call app.setup_security()" in make_app(signer, set_up=False).plugins.report()["signing"]


def test_a_worker_whose_certificate_has_expired_is_not_ready(make_app, monkeypatch):
    app = make_app()
    (check,) = [each for each in app.plugins.health_checks() if each.name == "auth"]
    assert check.check() is None
    certificate = app.serializers.get("auth").content.identity.certificate
    monkeypatch.setattr(certificate, "_ends", 0.0)
    assert "has expired" in check.check()


def test_a_private_key_shows_nothing_of_itself(make_signer):
    key = PrivateKey(make_signer().key_path.read_text())
    assert repr(key) == "<PrivateKey: Ed25519>"
    with pytest.raises(SecurityError, match="is no PEM key"):
        PrivateKey("-----BEGIN PRIVATE KEY-----\nsecret\n")
