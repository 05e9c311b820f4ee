"""Certificates that their issuers have taken back: lists (CRLs) in the files of a directory or glob."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from cryptography import x509

from celeriac.exceptions import SecurityError
from celeriac_auth.files import WatchedFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celeriac_auth.certificates import Certificate
    from celeriac_auth.store import CertStore

logger = logging.getLogger("celeriac_auth")

#: Bytes of the largest list.
LARGEST: Final = 16 * 1024 * 1024


class RevocationLists:
    """Read anew when they change.  Raises `SecurityError` for files that are none.

    A list whose issuer has a certificate in the `store` must be signed by it; of others, the file is believed, as the
    store's files are.  A list that is past its next update still counts, and is told of.
    """

    def __init__(self, path: str, store: CertStore) -> None:
        self._store = store
        self._files = WatchedFiles(path, self._parsed, LARGEST)

    def covers(self, certificate: Certificate) -> bool:
        """Whether it was revoked."""
        serials = self._files.get().get(certificate.x509.issuer)
        return serials is not None and certificate.get_serial_number() in serials

    def refresh(self) -> None:
        """Look for changes now; it is done once a second anyhow."""
        self._files.refresh()

    def _parsed(self, files: list[tuple[str, bytes]]) -> Mapping[x509.Name, set[int]]:
        found: dict[x509.Name, set[int]] = {}
        for name, data in files:
            listed = _loaded(name, data)
            self._check(name, listed)
            found.setdefault(listed.issuer, set()).update(one.serial_number for one in listed)
        return found

    def _check(self, name: str, listed: x509.CertificateRevocationList) -> None:
        issuers = [one for one in self._store.itercerts() if one.x509.subject == listed.issuer]
        if issuers and not any(listed.is_signature_valid(one.get_pubkey()) for one in issuers):
            raise SecurityError(f"the revocation list {name} is not signed by its issuer")
        due = listed.next_update_utc
        if due is not None and due.timestamp() < time.time():
            logger.warning("The revocation list %s should have been replaced on %s; it still counts", name, due)


def _loaded(name: str, data: bytes) -> x509.CertificateRevocationList:
    try:
        if data.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_crl(data)
        return x509.load_der_x509_crl(data)
    except ValueError as error:
        raise SecurityError(f"{name} is no revocation list: {error}") from None
