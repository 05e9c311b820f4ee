"""Who signs here, and whose signatures are believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from celeriac.exceptions import SecurityError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes

    from celeriac_auth.certificates import Certificate
    from celeriac_auth.keys import PrivateKey
    from celeriac_auth.revocation import RevocationLists
    from celeriac_auth.store import CertStore


@dataclass(frozen=True, slots=True)
class Identity:
    """The key and the certificate of this process."""

    key: PrivateKey
    certificate: Certificate
    digest: hashes.HashAlgorithm

    @property
    def id(self) -> str:
        """How others know it."""
        return self.certificate.get_id()

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`."""
        return self.key.sign(data, self.digest)


@dataclass(frozen=True, slots=True)
class Trust:
    """The certificates that count, and when; `skew` is by how many seconds clocks may differ."""

    store: CertStore
    digest: hashes.HashAlgorithm
    skew: float = 0.0
    revoked: RevocationLists | None = None

    def verify(self, signer: str, data: bytes, signature: bytes) -> Certificate:
        """The certificate of `signer`, whose signature of `data` it is.  Raises `SecurityError` with the reason."""
        certificate = self.store[signer]
        if (reason := certificate.untimely(self.skew)) is not None:
            raise SecurityError(reason)
        if self.revoked is not None and self.revoked.covers(certificate):
            raise SecurityError(f"the certificate of {signer!r} was revoked by its issuer")
        certificate.verify(data, signature, self.digest)
        return certificate

    def signature_size(self, signer: str) -> int:
        """The bytes of a signature with an RSA key, which alone has one size.  Raises `SecurityError` for others."""
        size = getattr(self.store[signer].get_pubkey(), "key_size", 0)
        if size < 2048:  # a curve, or none
            raise SecurityError(f"messages in the form of Celery 5.4 need an RSA key, which {signer!r} has not")
        return int(size) // 8
