"""Writes the file of vectors: run by an interpreter that has Celery, from this directory.

    python write_vectors.py > celery-5.7.json

With ``--keys`` it makes the keys and certificates first.  They are for tests alone: everybody has them.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
BODIES = [
    [[1, 2], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}],
    [["zwölf \u0000\u0001"], {"nested": {"a": [None, True, 1.5]}}, {}],
    {"task_id": "an-id", "status": "SUCCESS", "result": "x" * 3000},
    "",
    None,
]


def make_keys() -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(65537, 2048)
    parts = [
        (NameOID.COUNTRY_NAME, "DE"),
        (NameOID.ORGANIZATION_NAME, "Tests, für jeden"),
        (NameOID.COMMON_NAME, "PUBLIC TEST KEY, never use it"),
    ]
    name = x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = builder.serial_number(4711).not_valid_before(now).not_valid_after(now + timedelta(days=36_500))
    cert = builder.sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    note = b"For tests alone: everybody has this key.\n"
    plain = serialization.NoEncryption()
    (HERE / "test-only.key").write_bytes(note + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    (HERE / "test-only.pem").write_bytes(note + cert.public_bytes(pem))


def main() -> None:
    if "--keys" in sys.argv:
        make_keys()
        return
    import celery
    from celery.security.certificate import Certificate, CertStore
    from celery.security.key import PrivateKey
    from celery.security.serialization import SecureSerializer

    key = PrivateKey((HERE / "test-only.key").read_text())
    certificate = Certificate((HERE / "test-only.pem").read_text())
    store = CertStore()
    store.add_cert(certificate)
    written = []
    for digest in ("sha256", "sha512"):
        serializer = SecureSerializer(key=key, cert=certificate, cert_store=store, digest=digest)
        for body in BODIES:
            data = serializer.serialize(body)
            written.append({"digest": digest, "body": body, "data": data if isinstance(data, str) else data.decode()})
    told = {"celery": celery.__version__, "signer": certificate.get_id(), "vectors": written}
    json.dump(told, sys.stdout, indent=1, ensure_ascii=True)
    print()


if __name__ == "__main__":
    main()
