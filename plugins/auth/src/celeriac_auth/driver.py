"""The serializer ``auth`` of an app."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, ClassVar

from celeriac.contracts import Serializer
from celeriac.exceptions import ImproperlyConfigured, PluginError, SecurityError
from celeriac_auth.certificates import Certificate
from celeriac_auth.digests import DEFAULT, get_digest_algorithm
from celeriac_auth.files import read_file
from celeriac_auth.identity import Identity, Trust
from celeriac_auth.keys import PrivateKey
from celeriac_auth.revocation import RevocationLists
from celeriac_auth.sealing import Keyring
from celeriac_auth.serializer import CONTENT_TYPE, PlainJson, SecureSerializer, SignedContent, register_auth
from celeriac_auth.store import LARGEST, CertStore, FSCertStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

if TYPE_CHECKING:
    from celeriac_auth.replay import Guard


class AuthSerializer(Serializer):
    """Made by `set_up`, which ``app.setup_security()`` calls: without keys there is nothing to sign with."""

    name: ClassVar[str] = "auth"
    content_type: ClassVar[str] = CONTENT_TYPE
    content_encoding: ClassVar[str] = "utf-8"
    authenticates: ClassVar[bool] = True

    #: What users of Celery import from ``celery.security``.
    public: ClassVar[Mapping[str, Any]] = {
        "CertStore": CertStore,
        "Certificate": Certificate,
        "FSCertStore": FSCertStore,
        "PrivateKey": PrivateKey,
        "SecureSerializer": SecureSerializer,
        "register_auth": register_auth,
    }

    def __init__(self, content: SignedContent | None = None) -> None:
        if content is None:
            raise ImproperlyConfigured(
                "the serializer auth has no key yet: call app.setup_security(), in the module of the app"
            )
        self.content = content
        #: What remembers which messages have run; made by whoever needs it first.
        self.guard: Guard | None = None
        self.lock = threading.Lock()

    def dumps(self, value: Any) -> bytes:
        """See `SignedContent`."""
        return self.content.dumps(value)

    def loads(self, data: bytes) -> Any:
        """See `SignedContent`."""
        return self.content.loads(data)

    @classmethod
    def for_trial(cls) -> AuthSerializer:
        """One with a key that nobody else has."""
        from celeriac_auth.trial import content_of_nobody

        return cls(content_of_nobody())

    @classmethod
    def set_up(
        cls,
        app: Any,
        *,
        serializer: str = "json",
        allowed: Iterable[str] = (),
        key: str | None = None,
        key_password: str | bytes | None = None,
        cert: str | None = None,
        store: str | None = None,
        digest: str = DEFAULT,
    ) -> AuthSerializer:
        """The serializer of this app.  Raises `ImproperlyConfigured` naming the setting that is missing or wrong."""
        conf = app.conf
        if conf.security_sign_headers and conf.task_protocol == 1:
            raise ImproperlyConfigured("security_sign_headers needs task_protocol 2: messages of 1 have no headers")
        hashed = get_digest_algorithm(conf.security_digest if digest == DEFAULT else digest)
        identity = Identity(
            _from("security_key", key or conf.security_key, _key, key_password or conf.security_key_password),
            _from("security_certificate", cert or conf.security_certificate, _certificate),
            hashed,
        )
        _check_own(identity)
        known = _from("security_cert_store", store or conf.security_cert_store, FSCertStore)
        lists = conf.security_revocation_lists
        revoked = _from("security_revocation_lists", lists, RevocationLists, known) if lists else None
        trust = Trust(known, hashed, conf.security_clock_skew, revoked)
        inner = PlainJson() if serializer == "json" else app.serializers.get(serializer)
        return cls(
            SignedContent(
                identity,
                trust,
                inner,
                _readers(app, inner, allowed),
                _keyring(conf),
                conf.security_wire_format == "5.4",
            )
        )


def _from(setting: str, path: Any, make: Any, *more: Any) -> Any:
    """What `make` makes of the file that a setting names."""
    if not path:
        raise ImproperlyConfigured(f"messages cannot be signed: the setting {setting} is not set; it is a path")
    if not isinstance(path, (str, os.PathLike)):
        raise ImproperlyConfigured(f"the setting {setting} must be a path, not a {type(path).__name__}")
    try:
        return make(os.fspath(path), *more)
    except SecurityError as error:
        raise ImproperlyConfigured(f"the setting {setting} cannot be used: {error}") from None


def _key(path: str, password: str | bytes | None) -> PrivateKey:
    return PrivateKey(read_file(path, LARGEST), password)


def _certificate(path: str) -> Certificate:
    return Certificate(read_file(path, LARGEST))


def _check_own(identity: Identity) -> None:
    if not identity.certificate.is_of(identity.key.public_key()):
        raise ImproperlyConfigured("security_certificate is not the certificate of the key in security_key")
    if (reason := identity.certificate.untimely()) is not None:
        raise ImproperlyConfigured(f"security_certificate cannot be used: {reason}")


def _readers(app: Any, inner: Serializer, allowed: Iterable[str]) -> dict[str, Serializer]:
    """What may be inside of signed content: JSON, what is signed here, and what is accepted without a signature."""
    found = {each.content_type: each for each in (PlainJson(), inner)}
    for name in allowed:
        try:
            one = app.serializers.get(name)
        except PluginError:
            continue  # whoever reads the setting accept_content says so
        found[one.content_type] = one
    return found


def _keyring(conf: Any) -> Keyring | None:
    current = conf.security_encrypt
    if current is None:
        return None
    if conf.security_wire_format == "5.4":
        raise ImproperlyConfigured("security_encrypt seals, and no Celery opens: leave security_wire_format at '5.5'")
    keyring: Keyring = _from("security_encryption_keys", conf.security_encryption_keys, Keyring, current)
    return keyring
