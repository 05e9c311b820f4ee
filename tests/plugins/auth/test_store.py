"""The certificates of those who are trusted: where they are, what is refused, how they are replaced while all runs."""

from __future__ import annotations

import logging
import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from celeriac.exceptions import SecurityError
from celeriac_auth import Certificate, CertStore, FSCertStore
from celeriac_auth.files import WatchedFiles
from celeriac_auth.revocation import RevocationLists


def ids(store):
    return {each.get_id() for each in store.itercerts()}


def test_a_store_is_a_directory_a_glob_or_a_file(make_signer, store):
    one, other = make_signer("one"), make_signer("other")
    (store / ".hidden").write_text("no certificate")
    assert ids(FSCertStore(str(store))) == {one.id, other.id}
    assert ids(FSCertStore(str(store / "one-*"))) == {one.id}
    assert ids(FSCertStore(str(other.cert_path))) == {other.id}


def test_a_file_may_hold_several_certificates(make_signer, tmp_path):
    both = [make_signer("one"), make_signer("other")]
    path = tmp_path / "bundle.pem"
    path.write_bytes(b"".join(each.cert_path.read_bytes() for each in both))
    assert ids(FSCertStore(str(path))) == {each.id for each in both}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds something else than certificates"),
        (b"\xff\x00", "holds something else than certificates"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds something else than certificates"),
        (b"x" * 65_537, "has more than 65536 bytes"),
    ],
)
def test_a_file_that_is_no_certificate_or_too_large_is_told_of(store, content, said):
    (store / "odd.pem").write_bytes(content)
    with pytest.raises(SecurityError, match=said) as raised:
        FSCertStore(str(store))
    assert "odd.pem" in str(raised.value)


def test_a_certificate_that_is_cut_short_anywhere_is_refused(make_signer):
    text = make_signer().cert_path.read_bytes().rstrip()
    for end in range(len(text)):
        with pytest.raises(SecurityError):
            Certificate(text[:end])


def test_where_there_is_nothing_there_is_no_store(tmp_path, store):
    for path in (store, tmp_path / "nowhere", tmp_path / "*.pem"):
        with pytest.raises(SecurityError, match="there is no file at"):
            FSCertStore(str(path))


@pytest.mark.parametrize("kind", ["weak-rsa", "weak-ec"])
def test_a_key_that_can_be_broken_is_refused(make_signer, kind):
    signer = make_signer("weak", kind)
    with pytest.raises(SecurityError, match="can be broken"):
        Certificate(signer.cert_path.read_text())


def test_certificates_are_added_and_found_by_their_ids(make_signer):
    signer = make_signer()
    certificate = Certificate(signer.cert_path.read_text())
    made = CertStore()
    made.add_cert(certificate)
    made.add_cert(certificate)
    assert made[signer.id] is certificate
    assert list(made.itercerts()) == [certificate]
    with pytest.raises(SecurityError, match="nobody here trusts 'x 1'"):
        made["x 1"]
    impostor = make_signer(serial=signer.cert.serial_number)
    with pytest.raises(SecurityError, match="two certificates have the id"):
        made.add_cert(Certificate(impostor.cert_path.read_text()))


def test_what_a_certificate_says_is_what_celery_makes_of_it(make_signer):
    signer = make_signer("some one", serial=4711, ends=-0.1)
    certificate = Certificate(signer.cert_path.read_text())
    assert certificate.has_expired()
    assert (certificate.get_issuer(), certificate.get_serial_number()) == ("some one", 4711)
    assert certificate.get_id() == "some one 4711"
    certificate.verify(b"data", signer.key.sign(b"data"), "sha256")
    with pytest.raises(SecurityError):
        certificate.verify(b"other", signer.key.sign(b"data"), "sha256")


def test_certificates_are_replaced_while_all_runs(make_signer, store):
    # Given a store
    old = make_signer("old")
    found = FSCertStore(str(store))
    # When a new certificate comes and the old one goes
    new = make_signer("new")
    (store / old.cert_path.name).unlink()
    found.refresh()
    # Then only the new one counts
    assert ids(found) == {new.id}


def test_a_file_that_breaks_while_all_runs_changes_nothing_and_is_told_of_once(make_signer, store, caplog):
    signer = make_signer()
    found = FSCertStore(str(store))
    (store / "half-written.pem").write_text("-----BEGIN")
    found.refresh()
    found.refresh()
    assert ids(found) == {signer.id}
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "half-written.pem" in caplog.text
    other = make_signer("other")
    (store / "half-written.pem").unlink()
    found.refresh()
    assert ids(found) == {signer.id, other.id}


def test_it_is_looked_for_changes_by_itself_and_not_at_every_message(make_signer, store, monkeypatch):
    make_signer()
    looks = []
    monkeypatch.setattr(WatchedFiles, "refresh", lambda self: looks.append(1))
    found = FSCertStore(str(store))
    found._files._next_look = time.monotonic() + 60
    for _ in range(1000):
        list(found.itercerts())
    assert looks == []
    found._files._next_look = 0.0
    list(found.itercerts())
    assert len(looks) == 1


def revocation_list(issuer, *revoked, key=None, next_update=timedelta(days=1)):
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.cert.subject)
    builder = builder.last_update(now - timedelta(days=2)).next_update(now + next_update)
    for signer in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(signer.cert.serial_number).revocation_date(now).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(key or issuer.key, None)


def test_a_revoked_certificate_counts_no_more_from_the_moment_that_the_list_is_there(make_app, make_signer, tmp_path):
    # Given two whose certificates a third has issued
    authority = make_signer("authority")
    one, other = make_signer("one", issuer=authority), make_signer("other", issuer=authority)
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "list.pem").write_bytes(revocation_list(authority).public_bytes(serialization.Encoding.PEM))
    auth = make_app(one, security_revocation_lists=str(lists)).serializers.get("auth")
    from_other = make_app(other).serializers.get("auth").dumps(1)
    assert auth.loads(from_other) == 1
    # When one of them is revoked
    (lists / "list.pem").unlink()
    (lists / "list.der").write_bytes(revocation_list(authority, other).public_bytes(serialization.Encoding.DER))
    auth.content.trust.revoked.refresh()
    # Then that one is not believed, and the other is
    with pytest.raises(SecurityError, match="was revoked by its issuer"):
        auth.loads(from_other)
    assert auth.loads(auth.dumps(1)) == 1


def test_a_list_that_another_than_its_issuer_has_signed_is_refused(make_signer, store, tmp_path):
    authority, stranger = make_signer("authority"), make_signer("stranger", trusted=False)
    path = tmp_path / "list.pem"
    path.write_bytes(revocation_list(authority, key=stranger.key).public_bytes(serialization.Encoding.PEM))
    with pytest.raises(SecurityError, match="is not signed by its issuer"):
        RevocationLists(str(path), FSCertStore(str(store)))


def test_a_list_that_is_overdue_still_counts_and_is_told_of(make_signer, store, tmp_path, caplog):
    authority = make_signer("authority")
    path = tmp_path / "list.pem"
    overdue = revocation_list(authority, authority, next_update=timedelta(days=-1))
    path.write_bytes(overdue.public_bytes(serialization.Encoding.PEM))
    lists = RevocationLists(str(path), FSCertStore(str(store)))
    assert lists.covers(Certificate(authority.cert))
    assert "should have been replaced" in caplog.text


def test_a_file_that_is_no_list_is_told_of(store, make_signer, tmp_path):
    make_signer()
    path = tmp_path / "list.pem"
    for content in (b"", b"-----BEGIN X509 CRL-----\n", os.urandom(64)):
        path.write_bytes(content)
        with pytest.raises(SecurityError, match="is no revocation list"):
            RevocationLists(str(path), FSCertStore(str(store)))
