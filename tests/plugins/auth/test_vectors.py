"""What Celery has written is read, to the byte; see ``data/write_vectors.py``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from celeriac.exceptions import ProtocolError, SecurityError
from celeriac_auth import Certificate, CertStore, FSCertStore, PrivateKey, SecureSerializer

DATA = Path(__file__).parent / "data"
FILES = sorted(DATA.glob("celery-*.json"))


@pytest.fixture
def make_reader(make_app):
    """Return ``make_reader(told, **settings)``: who reads what the file says, with the key that everybody has."""

    def make(digest, wire="5.5"):
        return make_app(
            security_key=str(DATA / "test-only.key"),
            security_certificate=str(DATA / "test-only.pem"),
            security_cert_store=str(DATA / "test-only.pem"),
            security_digest=digest,
            security_wire_format=wire,
        ).serializers.get("auth")

    return make


def test_there_are_vectors_of_three_versions():
    assert [json.loads(file.read_text())["celery"][:3] for file in FILES] == ["5.4", "5.6", "5.7"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_celery_has_signed_is_read(make_reader, file):
    told = json.loads(file.read_text())
    assert Certificate((DATA / "test-only.pem").read_text()).get_id() == told["signer"]
    wire = "5.4" if told["celery"].startswith("5.4") else "5.5"
    readers = {digest: make_reader(digest, wire) for digest in ("sha256", "sha512")}
    for vector in told["vectors"]:
        assert readers[vector["digest"]].loads(vector["data"].encode()) == vector["body"]
        # And the form is the same that is written here; the signature has salt, so that only its size can be compared
        written = readers[vector["digest"]].dumps(vector["body"])
        if not isinstance(vector["body"], dict | list):  # whose JSON may have other spaces
            assert len(written) == len(vector["data"])
        with pytest.raises(SecurityError):
            readers["sha512" if vector["digest"] == "sha256" else "sha256"].loads(vector["data"].encode())


def test_the_form_of_5_4_is_read_only_where_it_is_asked_for(make_reader):
    vector = json.loads((DATA / "celery-5.4.json").read_text())["vectors"][0]
    with pytest.raises(ProtocolError):
        make_reader("sha256").loads(vector["data"].encode())


def test_the_class_of_that_name_reads_and_writes_them_without_an_app():
    key = PrivateKey((DATA / "test-only.key").read_text())
    certificate = Certificate((DATA / "test-only.pem").read_text())
    serializer = SecureSerializer(key=key, cert=certificate, cert_store=FSCertStore(str(DATA / "*.pem")))
    for vector in json.loads((DATA / "celery-5.7.json").read_text())["vectors"]:
        if vector["digest"] == "sha256":
            assert serializer.deserialize(vector["data"]) == vector["body"]
            assert serializer.deserialize(serializer.serialize(vector["body"])) == vector["body"]
    for wrong in ("", "AAAA", vector["data"][:-8]):
        with pytest.raises(SecurityError, match="unable to deserialize"):
            serializer.deserialize(wrong)
    empty = SecureSerializer(key=key, cert=certificate, cert_store=CertStore())
    with pytest.raises(SecurityError, match="nobody here trusts"):
        empty.deserialize(serializer.serialize(1))
