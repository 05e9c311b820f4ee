"""Certificates: of a server that is called localhost, of a client, and of one whom nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CLIENT = "celeriac-client"


class Identity(NamedTuple):
    """Files in PEM."""

    certificate: Path
    key: Path


class Certificates(NamedTuple):
    """The authority that both sides trust, and who they are."""

    authority: Path
    server: Identity
    client: Identity
    stranger: Identity


def make_certificates(directory: Path) -> Certificates:
    """Write them to `directory`."""
    own, other = _Authority("celeriac tests"), _Authority("somebody else")
    authority = directory / "authority.pem"
    authority.write_bytes(own.certificate.public_bytes(serialization.Encoding.PEM))
    return Certificates(
        authority,
        own.issue(directory, "localhost", [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]),
        own.issue(directory, CLIENT),
        other.issue(directory, "stranger"),
    )


class _Authority:
    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, self._key.public_key())
        self.certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
            self._key, hashes.SHA256()
        )

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )

    def issue(self, directory: Path, name: str, places: list[x509.GeneralName] | None = None) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key.public_key())
        if places:
            builder = builder.add_extension(x509.SubjectAlternativeName(places), critical=False)
        found = Identity(directory / f"{name}.pem", directory / f"{name}.key")
        certificate = builder.sign(self._key, hashes.SHA256())
        found.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        found.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return found
