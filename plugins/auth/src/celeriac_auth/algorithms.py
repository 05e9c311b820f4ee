"""Signing and verifying with a key of any of the kinds that are known: RSA, elliptic curves, Ed25519, Ed448."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes

SigningKey: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)
VerifyingKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

_SIGNING: Final = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)
_VERIFYING: Final = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)
#: Bits of the shortest keys that are used.
_SHORTEST_RSA: Final = 2048
_SHORTEST_CURVE: Final = 224


def unfit(key: Any) -> str | None:
    """Why nothing can be signed or verified with the key; None where it can."""
    if not isinstance(key, (*_SIGNING, *_VERIFYING)):
        return f"{type(key).__name__} is no kind of key that can be used: RSA, EC, Ed25519 and Ed448 can"
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)) and key.key_size < _SHORTEST_RSA:
        return f"an RSA key of {key.key_size} bits can be broken: it must have {_SHORTEST_RSA} at least"
    if (
        isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey))
        and key.curve.key_size < _SHORTEST_CURVE
    ):
        return f"a curve of {key.curve.key_size} bits can be broken: it must have {_SHORTEST_CURVE} at least"
    return None


def sign(key: SigningKey, data: bytes, digest: hashes.HashAlgorithm) -> bytes:
    """The signature of `data`.  RSA as Celery has it: PSS with MGF1 and the longest salt."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, _pss(digest), digest)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(digest))
    return key.sign(data)


def verify(key: VerifyingKey, signature: bytes, data: bytes, digest: hashes.HashAlgorithm) -> None:
    """Raises `cryptography.exceptions.InvalidSignature`."""
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, data, _pss(digest), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, data, ec.ECDSA(digest))
    else:
        key.verify(signature, data)


def _pss(digest: hashes.HashAlgorithm) -> padding.PSS:
    return padding.PSS(padding.MGF1(digest), padding.PSS.MAX_LENGTH)
