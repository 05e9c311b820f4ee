"""Signed content of somebody who is made up, so that the serializer can be tried without an app."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from celeriac_auth.certificates import Certificate
from celeriac_auth.digests import get_digest_algorithm
from celeriac_auth.identity import Identity, Trust
from celeriac_auth.keys import PrivateKey
from celeriac_auth.serializer import PlainJson, SignedContent
from celeriac_auth.store import CertStore


def content_of_nobody() -> SignedContent:
    """With a new key, which counts for an hour, and trust in that one alone."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trial")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(hours=1))
    certificate = Certificate(builder.not_valid_after(now + timedelta(hours=1)).sign(key, None))
    store = CertStore()
    store.add_cert(certificate)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    digest, json = get_digest_algorithm(), PlainJson()
    identity = Identity(PrivateKey(pem), certificate, digest)
    return SignedContent(identity, Trust(store, digest), json, {json.content_type: json})
