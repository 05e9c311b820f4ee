"""The private key with which a process signs."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

from celeriac.exceptions import SecurityError
from celeriac_auth.algorithms import SigningKey, VerifyingKey, sign, unfit
from celeriac_auth.digests import get_digest_algorithm


class PrivateKey:
    """A key from PEM text, with its password where it has one.  Nothing of either is ever shown.

    Raises `SecurityError` for what is no key that can be used, or where the password is not that of the key.
    """

    def __init__(self, key: str | bytes, password: str | bytes | None = None) -> None:
        data = key.encode() if isinstance(key, str) else key
        secret = password.encode() if isinstance(password, str) else password
        try:
            loaded = serialization.load_pem_private_key(data, password=secret)
        except TypeError:  # a password that is missing, or one too many
            wanted = "has no password, and one is given" if secret else "has a password, and none is given"
            raise SecurityError(f"the private key {wanted} (security_key_password)") from None
        except (ValueError, UnsupportedAlgorithm):  # their texts may show what was read
            said = "is no PEM key, or its password is another one" if secret else "is no PEM key"
            raise SecurityError(f"the private key {said}") from None
        if (reason := unfit(loaded)) is not None:
            raise SecurityError(reason)
        self._key: SigningKey = loaded  # type: ignore[assignment]  # just seen to be one

    def sign(self, data: bytes, digest: str | hashes.HashAlgorithm = "sha256") -> bytes:
        """The signature of `data`; Ed25519 and Ed448 have a digest of their own."""
        return sign(self._key, data, get_digest_algorithm(digest))

    def public_key(self) -> VerifyingKey:
        """The other half, as certificates have it."""
        return self._key.public_key()

    def __repr__(self) -> str:
        return f"<PrivateKey: {type(self._key).__name__.removesuffix('PrivateKey')}>"
