"""The certificates of all whose messages are accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509

from celeriac.exceptions import SecurityError
from celeriac_auth.certificates import Certificate
from celeriac_auth.files import LOOK, WatchedFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Bytes of the largest file of certificates.
LARGEST: Final = 64 * 1024


class CertStore:
    """Certificates by their ids, added one by one."""

    def __init__(self) -> None:
        self._certs: dict[str, Certificate] = {}

    def itercerts(self) -> Iterator[Certificate]:
        """All of them."""
        return iter(list(self._all().values()))

    def __getitem__(self, id: str) -> Certificate:
        """The certificate of that id.  Raises `SecurityError` where there is none."""
        found = self._all().get(id) or self._newest().get(id)
        if found is None:
            raise SecurityError(f"nobody here trusts {id!r:.200}: security_cert_store has no certificate of that id")
        return found

    def add_cert(self, cert: Certificate) -> None:
        """Trust this one too.  Raises `SecurityError` where another one has its id."""
        _add(self._certs, cert)

    def _all(self) -> Mapping[str, Certificate]:
        return self._certs

    def _newest(self) -> Mapping[str, Certificate]:
        return self._certs


class FSCertStore(CertStore):
    """Those in the files of a directory, or of a glob; each file may hold several, and is read anew when it changes.

    Raises `SecurityError` where there are none, and for a file that holds something else.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._files = WatchedFiles(path, _parsed, LARGEST)

    def refresh(self) -> None:
        """Look for changes now; it is done once a second anyhow."""
        self._files.refresh()

    def _all(self) -> Mapping[str, Certificate]:
        found = self._files.get()
        return {**found, **self._certs} if self._certs else found

    def _newest(self) -> Mapping[str, Certificate]:
        # Whoever signs with a new certificate need not wait a second; strangers cause ten looks a second at most.
        return self._files.get(sooner=LOOK - 0.1)


def _parsed(files: list[tuple[str, bytes]]) -> dict[str, Certificate]:
    found: dict[str, Certificate] = {}
    for name, data in files:
        try:
            for one in x509.load_pem_x509_certificates(data):
                _add(found, Certificate(one))
        except (ValueError, SecurityError) as error:
            raise SecurityError(f"{name} holds something else than certificates that can be used: {error}") from None
    return found


def _add(certs: dict[str, Certificate], cert: Certificate) -> None:
    known = certs.setdefault(cert.get_id(), cert)
    if known.fingerprint() != cert.fingerprint():
        raise SecurityError(f"two certificates have the id {cert.get_id()!r}")
