"""Hash functions by name: those that may be signed with."""

from __future__ import annotations

import warnings
from typing import Final

from cryptography.hazmat.primitives import hashes

from celeriac.exceptions import ImproperlyConfigured, SecurityWarning

DEFAULT: Final = "sha256"

_KNOWN: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
    "sha3_256": hashes.SHA3_256,
    "sha3_512": hashes.SHA3_512,
    # Broken; for a fleet that cannot yet do without, by its name only.
    "sha1": hashes.SHA1,
}


def get_digest_algorithm(digest: str | hashes.HashAlgorithm = DEFAULT) -> hashes.HashAlgorithm:
    """The hash function of that name.

    Warns of SHA-1, which has to be asked for.  Raises `ImproperlyConfigured` for a name that is none, and for hashes
    with which nothing is to be signed.
    """
    if isinstance(digest, hashes.HashAlgorithm):
        return digest
    made = _KNOWN.get(digest.lower().replace("-", ""))
    if made is None:
        raise ImproperlyConfigured(f"security_digest must be one of {', '.join(_KNOWN)}, not {digest!r}")
    if made is hashes.SHA1:
        warnings.warn("security_digest is sha1, which can be forged; use sha256", SecurityWarning, stacklevel=2)
    return made()
