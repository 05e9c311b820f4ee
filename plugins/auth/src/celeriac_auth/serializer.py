"""Content with a signature around it: what Celery calls the serializer ``auth``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts import Serializer
from celeriac.exceptions import ImproperlyConfigured, ProtocolError, SecurityError
from celeriac.protocol import json
from celeriac_auth.certificates import Certificate
from celeriac_auth.digests import DEFAULT, get_digest_algorithm
from celeriac_auth.envelope import Envelope, pack, pack_as_54, unpack, unpack_any
from celeriac_auth.identity import Identity, Trust
from celeriac_auth.keys import PrivateKey
from celeriac_auth.sealing import SEALED, Keyring
from celeriac_auth.store import CertStore, FSCertStore

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What signed content goes by, on the wire of Celery.
CONTENT_TYPE: Final = "application/data"


class PlainJson(Serializer):
    """What is inside, where nobody says otherwise."""

    name = "json"
    content_type = "application/json"
    content_encoding = "utf-8"

    def dumps(self, value: Any) -> bytes:
        """As the protocol has it."""
        return json.dumps(value)

    def loads(self, data: bytes) -> Any:
        """As the protocol has it."""
        return json.loads(data)


class SignedContent:
    """Signs what `inner` writes, and reads what one of `readers`, by content type, can read and `trust` believes.

    With a `keyring` the content is sealed too.  `for_celery_54` writes the form of that version, and reads both.
    """

    def __init__(
        self,
        identity: Identity,
        trust: Trust,
        inner: Serializer,
        readers: Mapping[str, Serializer],
        keyring: Keyring | None = None,
        for_celery_54: bool = False,
    ) -> None:
        self.identity = identity
        self.trust = trust
        self._inner = inner
        self._readers = dict(readers)
        self._keyring = keyring
        self._is_old = for_celery_54

    def dumps(self, value: Any) -> bytes:
        """Raises `SerializationError` as the serializer inside does."""
        inner, signer = self._inner, self.identity.id
        content_type, content_encoding, body = inner.content_type, inner.content_encoding, inner.dumps(value)
        if self._keyring is not None:
            body = self._keyring.seal(content_type, body, signer)
            content_type, content_encoding = SEALED, "binary"
        envelope = Envelope(signer, self.identity.sign(body), content_type, content_encoding, body)
        return pack_as_54(envelope) if self._is_old else pack(envelope)

    def loads(self, data: bytes) -> Any:
        """Raises `ProtocolError` for what is no signed content, `SecurityError` for what is not to be believed."""
        signer, signature, content_type, _, body = self._unpacked(data)
        self.trust.verify(signer, body, signature)
        if content_type == SEALED:
            if self._keyring is None:
                raise SecurityError("the content is sealed: set security_encrypt and security_encryption_keys")
            content_type, body = self._keyring.unseal(body, signer)
        reader = self._readers.get(content_type)
        if reader is None:  # the signature does not cover the type
            raise SecurityError(
                f"signed content of type {content_type!r:.100} is refused: setup_security was given another "
                "serializer, and allowed_serializers does not name this one"
            )
        return reader.loads(body)

    def signer_of(self, data: bytes) -> Certificate:
        """The certificate of who says that he has signed it, which `loads` verifies.  Errors as those of that."""
        return self.trust.store[self._unpacked(data).signer]

    def _unpacked(self, data: bytes) -> Envelope:
        return unpack_any(data, self.trust.signature_size) if self._is_old else unpack(data)


class SecureSerializer:
    """Celery's class of this name: from a key, a certificate and a store to `serialize` and `deserialize`."""

    def __init__(
        self,
        key: PrivateKey | None = None,
        cert: Certificate | None = None,
        cert_store: CertStore | None = None,
        digest: str = DEFAULT,
        serializer: str | Serializer = "json",
    ) -> None:
        if key is None or cert is None or cert_store is None:
            raise ImproperlyConfigured("a SecureSerializer needs key, cert and cert_store")
        inner = PlainJson() if serializer == "json" else serializer
        if not isinstance(inner, Serializer):
            raise ImproperlyConfigured(f"a SecureSerializer without an app knows json and serializers, not {inner!r}")
        hashed = get_digest_algorithm(digest)
        readers = {inner.content_type: inner}
        self._content = SignedContent(Identity(key, cert, hashed), Trust(cert_store, hashed), inner, readers)

    def serialize(self, data: Any) -> bytes:
        """The signed bytes of a value."""
        return self._content.dumps(data)

    def deserialize(self, data: str | bytes) -> Any:
        """The value.  Raises `SecurityError` for anything that cannot be read or is not to be believed."""
        try:
            return self._content.loads(data.encode() if isinstance(data, str) else data)
        except ProtocolError as error:
            raise SecurityError(f"unable to deserialize: {error}") from None


def register_auth(
    key: str | None = None,
    key_password: str | bytes | None = None,
    cert: str | None = None,
    store: str | None = None,
    digest: str = DEFAULT,
    serializer: str = "json",
) -> None:
    """Give Kombu a serializer ``auth``, for programs that use Kombu itself; `key` and `cert` are PEM texts."""
    from kombu.serialization import register

    made = SecureSerializer(
        PrivateKey(key, key_password) if key else None,
        Certificate(cert) if cert else None,
        FSCertStore(store) if store else None,
        digest,
        serializer,
    )
    register("auth", made.serialize, made.deserialize, content_type=CONTENT_TYPE, content_encoding="utf-8")
