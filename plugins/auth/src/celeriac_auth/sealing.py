"""Bodies that only the fleet can read: AES-GCM with keys of an id each, so that they can be replaced one by one."""

from __future__ import annotations

import binascii
import os
from base64 import b64decode
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from celeriac.exceptions import ProtocolError, SecurityError
from celeriac_auth.files import WatchedFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The content type of what is sealed.
SEALED: Final = "application/vnd.celeriac.sealed"

_VERSION: Final = b"\x01"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_LARGEST_FILE: Final = 4096


class Keyring:
    """The keys in the files ``<id>.key`` of a directory or glob, each 32 bytes in base64; seals with that of `current`.

    Files are read anew when they change.  Raises `SecurityError` for files that are none, and where `current` is not
    among them.
    """

    def __init__(self, path: str, current: str) -> None:
        self.current = current
        self._files = WatchedFiles(path, self._parsed, _LARGEST_FILE)

    def seal(self, content_type: str, data: bytes, signer: str) -> bytes:
        """`data` sealed, for whoever believes `signer`; the content type is inside."""
        nonce = os.urandom(_NONCE_BYTES)
        head = _VERSION + len(self.current).to_bytes() + self.current.encode()
        cipher = self._files.get()[self.current]
        return head + nonce + cipher.encrypt(nonce, content_type.encode() + b"\x00" + data, head + signer.encode())

    def unseal(self, sealed: bytes, signer: str) -> tuple[str, bytes]:
        """Content type and data.  Raises `SecurityError` where it cannot be opened, `ProtocolError` for other data."""
        size = sealed[1] if len(sealed) > 2 else 0
        head, nonce, data = sealed[: 2 + size], sealed[2 + size : 14 + size], sealed[14 + size :]
        if not size or head[:1] != _VERSION or len(nonce) != _NONCE_BYTES:
            raise ProtocolError("this is no sealed content: it is cut short, or of another form")
        key_id = head[2:].decode("utf-8", "replace")
        cipher = self._files.get().get(key_id)
        if cipher is None:
            raise SecurityError(f"sealed with the key {key_id!r}, which is not among security_encryption_keys")
        try:
            plain = cipher.decrypt(nonce, data, head + signer.encode())
        except InvalidTag:
            raise SecurityError(f"sealed with another key of the id {key_id!r}, or altered") from None
        content_type, _, content = plain.partition(b"\x00")
        return content_type.decode("utf-8", "replace"), content

    def refresh(self) -> None:
        """Look for changes now; it is done once a second anyhow."""
        self._files.refresh()

    def _parsed(self, files: list[tuple[str, bytes]]) -> Mapping[str, AESGCM]:
        found = {PurePath(name).stem: AESGCM(_key(name, data)) for name, data in files if name.endswith(".key")}
        if self.current not in found:
            raise SecurityError(f"security_encrypt names the key {self.current!r}, and there is no {self.current}.key")
        if too_long := [name for name in found if len(name.encode()) > 255]:
            raise SecurityError(f"the id of a key is too long: {too_long[0]:.50}...")
        return found


def _key(name: str, data: bytes) -> bytes:
    try:
        key = b64decode(data.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise SecurityError(
            f"{name} does not hold {_KEY_BYTES} bytes in base64, as `openssl rand -base64 32` makes them"
        )
    return key
